"""`refdiff bench`: what an answer costs here, stage by stage, beside the published order."""

import argparse
from pathlib import Path
import re

from refdiff_ros.benchmark import LEGEND
from refdiff_ros.errors import BadRequestError
from refdiff_ros.presets import PRESETS

_SIZES = ('mini', 'medium', 'full')
_SEGMENTORS = ('vit_h', 'vit_b', 'sam2_tiny')
_AXES = ('image', 'proposals', 'expressions', 'candidates')
_DTYPES = {'bf16': 'bfloat16', 'fp16': 'float16', 'fp32': 'float32'}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        'bench', help='measure what an answer costs, stage by stage',
        description='Measures seconds, operations, bytes moved and memory of each stage, beside '
        "a baseline in the authors' published order of work (in a checkout's bench/).",
        epilog=LEGEND.replace('%', '%%'))
    models = parser.add_mutually_exclusive_group()
    models.add_argument('--size', choices=_SIZES,
                        help="models with random weights; 'full' has the paper's sizes: minutes "
                        'a pass on a CPU (default mini)')
    models.add_argument('--bundle', default='', help='a real bundle: name, folder or hub id')
    parser.add_argument('--segmentor', nargs='+', choices=_SEGMENTORS, metavar='NAME',
                        help='of models with random weights: vit_h, vit_b, sam2_tiny, as in the '
                        'bundles sd15_..., one after the other; baselines and --scale have the '
                        "first, baselines vit_h alone (default: all with '--size full', else "
                        'vit_h)')
    parser.add_argument('--preset', nargs='+', default=['paper', 'released', 'onboard'],
                        choices=sorted(PRESETS), metavar='PRESET',
                        help='which presets (default paper released onboard)')
    parser.add_argument('--baseline', nargs='+', default=['published', 'fused'],
                        choices=['published', 'sliced', 'fused', 'none'],
                        help="'published' writes all attention out as the authors' code does, "
                        "'sliced' does the same one head at a time, where memory is short, "
                        "'fused' lets torch fuse what nobody reads (default published and fused)")
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        dest='overrides', help="override all presets' value, e.g. "
                        'generative.image_size=512; repeatable')
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")
    parser.add_argument('--dtype', default='auto',
                        help="'auto', 'bf16', 'fp16' or 'fp32'; the baseline's SAM is float32")
    parser.add_argument('--compile', action='store_true',
                        help="the presets run SAM's encoder through torch.compile; passes that "
                        'are counted do not')
    parser.add_argument('--image', type=Path, help='a picture (default: a drawn one)')
    parser.add_argument('--resolution', default='640x480', type=_resolution, metavar='WxH',
                        help='of the drawn picture (default 640x480)')
    parser.add_argument('--say', nargs='+', default=[], metavar='TEXT',
                        help='expressions to ask (default: built-in ones)')
    parser.add_argument('--proposals', type=_number(1), metavar='N',
                        help='thresholds that let N masks pass (default: 100 with random '
                        "weights, the bundle's own thresholds otherwise)")
    parser.add_argument('--expressions', type=_number(1), default=5, metavar='K',
                        help='also measure K expressions on one frame (default 5; 1: do not)')
    parser.add_argument('--frames', type=_number(0), default=5, metavar='F',
                        help='also measure F new frames under one expression, of a camera that '
                        'pans, and with --set proposals.still_within=8 also of one that stands '
                        '(default 5)')
    parser.add_argument('--repeats', type=_number(0), default=3, metavar='R',
                        help='timed passes; 0 takes the time of the counted pass (default 3)')
    parser.add_argument('--clock', default='wall', choices=['wall', 'cpu'],
                        help="'cpu' takes the seconds that this process computed, for a CPU that "
                        'others use too; set OMP_NUM_THREADS=1 then (default wall)')
    parser.add_argument('--scale', nargs='*', choices=_AXES, metavar='AXIS',
                        help='also vary the size of the image, proposals N, expressions K and the '
                        'candidates of an answer, or those named, for seconds and memory')
    parser.add_argument('--seed', type=int, default=0, help='of the diffusion noise')
    parser.add_argument('--json', type=Path, metavar='FILE',
                        help='where all figures go, after each part')
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, print, write.

    Returns:
        0, or 1 where a part could not be measured or answers that should agree do not.

    Raises:
        RefDiffError: the models, the picture or a preset's value cannot be used.
    """
    if 'none' in args.baseline and len(args.baseline) > 1:
        raise BadRequestError(f"expected --baseline 'none' alone, got {args.baseline}")
    if args.bundle and args.segmentor:
        raise BadRequestError(
            f'expected --segmentor for random weights alone: bundle {args.bundle!r} has its own')
    args.dtype = _DTYPES.get(args.dtype, args.dtype)
    args.size = None if args.bundle else args.size or 'mini'
    if not args.segmentor:
        args.segmentor = list(_SEGMENTORS if args.size == 'full' else _SEGMENTORS[:1])
    args.scale = _AXES if args.scale == [] else tuple(args.scale or ())
    # torch and the models take seconds to import, so mistyped options are told first.
    from refdiff_ros.benchmark.session import Session
    return Session(args).run()


def _number(least: int):
    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f'expected a whole number of {least} or more, got {text!r}')
        return int(text)
    return read


def _resolution(text: str) -> tuple[int, int]:
    """'640x480' as height and width."""
    found = re.fullmatch(r'(\d+)x(\d+)', text)
    if not found or not all(int(side) >= 32 for side in found.groups()):
        raise argparse.ArgumentTypeError(
            f"expected a width and a height of 32 or more such as '640x480', got {text!r}")
    return int(found.group(2)), int(found.group(1))
