"""`refdiff segment`: answer one expression on one picture, without ROS."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refdiff_ros.console import to_json
from refdiff_ros.language.valid_text import valid_text
from refdiff_ros.presets import Mode, PRESETS
from refdiff_ros.results import Frame, Segmentation

if TYPE_CHECKING:
    from refdiff_ros.grasp.results import GraspRegion


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register the subcommand."""
    parser = subparsers.add_parser(
        'segment', help='answer one expression on one picture, without ROS')
    parser.add_argument('image', type=Path, help='a JPEG or PNG')
    parser.add_argument('expression', type=valid_text,
                        help="for example 'the mug behind the red box'")
    parser.add_argument('--depth', type=Path,
                        help='16-bit PNG in millimetres, or float TIFF or .npy in metres')
    parser.add_argument('--camera', type=Path,
                        help='camera_info as YAML (camera_calibration, or `ros2 topic echo`)')
    parser.add_argument('--rectified', action='store_true',
                        help='the picture is rectified: take P of camera_info, without its lens')
    parser.add_argument('--out', type=Path, required=True, help='folder for the answer')
    parser.add_argument('--bundle', default='', help='model bundle: name, folder or hub id')
    parser.add_argument('--preset', default='onboard', choices=sorted(PRESETS))
    parser.add_argument('--mode', default='full', choices=[mode.value for mode in Mode])
    parser.add_argument('--device', default='auto', help="'auto', 'cpu' or 'cuda[:N]'")
    parser.add_argument('--dtype', default='auto',
                        choices=['auto', 'float32', 'float16', 'bfloat16'],
                        help='number format of the models')
    parser.add_argument('--revision', help='branch, tag or commit of a bundle on the hub')
    parser.add_argument('--offline', action='store_true',
                        help='never use the network: the bundle must be complete on disk')
    parser.add_argument('--low-memory', action='store_true',
                        help='one model at a time on the device: less memory, slower')
    parser.add_argument('--calibration', type=Path, metavar='FILE',
                        help="of this bundle, preset and mode, as 'refdiff calibrate' writes it")
    parser.add_argument('--seed', type=int, default=0)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer, write the files, print one line; 0 with a mask, 1 without."""
    # torch and the models take seconds to import, so a mistyped path is told first.
    from refdiff_ros.pictures.files import read_camera, read_depth, read_image
    image_rgb = read_image(args.image)
    camera = read_camera(args.camera, args.rectified, image_rgb.shape[:2]) if args.camera else None
    frame = Frame(
        image_rgb=image_rgb,
        depth_m=read_depth(args.depth) if args.depth else None, camera=camera,
        frame_id='camera_optical_frame')

    from refdiff_ros.engine import Engine, resolve_preset
    from refdiff_ros.grasp.region import grasp_region
    from refdiff_ros.models.manager import DEFAULT_BUNDLE, load_bundle
    from refdiff_ros.models.progress import ProgressLine
    with ProgressLine() as listener:
        models = load_bundle(
            args.bundle or DEFAULT_BUNDLE, device=args.device, dtype=args.dtype,
            revision=args.revision, offline=args.offline, listener=listener,
            low_memory=args.low_memory, mode=args.mode)
    if models.notice:
        print(models.notice)
    if args.calibration is not None:
        from refdiff_ros.matching.calibration_file import take_calibration
        take_calibration(models, args.calibration, args.bundle or DEFAULT_BUNDLE, args.preset,
                         args.mode)
    engine = Engine(models, resolve_preset(models, args.preset), Mode(args.mode), args.seed)
    answer = engine.segment(frame, args.expression)
    grasp = grasp_region(answer.mask, frame.depth_m, frame.camera)
    write_answer(args.out, frame, answer, grasp)
    print(f'{answer.status.name}: {answer.reason}; {int(answer.mask.sum())} pixels; '
          f'see {args.out / "overlay.png"}')
    if answer.question is not None:
        print(answer.question.text)
    return 0 if answer.status.has_mask else 1


def write_answer(
    folder: Path, frame: Frame, answer: Segmentation, grasp: 'GraspRegion | None',
) -> None:
    """Write `mask.png`, `overlay.png`, `attention.png` and `answer.json` into `folder`."""
    from PIL import Image

    from refdiff_ros.pictures import overlay
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(answer.mask.astype(np.uint8) * 255).save(folder / 'mask.png')
    Image.fromarray(overlay.draw(frame.image_rgb, answer, grasp)).save(folder / 'overlay.png')
    if answer.correlation is not None:
        Image.fromarray(overlay.attention_image(answer.correlation)).save(
            folder / 'attention.png')
    (folder / 'answer.json').write_text(to_json({
        'status': answer.status.name, 'reason': answer.reason, 'score': answer.score,
        'confidence': answer.confidence, 'calibrated': answer.calibrated,
        'presence': answer.presence,
        'question': None if answer.question is None else asdict(answer.question),
        'expression': asdict(answer.expression),
        'grasp': None if grasp is None else asdict(grasp),
        'timings_ms': answer.timings_ms, 'notes': answer.notes,
    }, indent=2) + '\n')
