"""What `proposals.still_within` costs in accuracy and saves in time, on sequences.

    python bench/still_camera.py --sequences 40 --try 4 8 16 --json out/still_camera.json

Simulated tabletops (`refdiff_ros.sim.motion`): objects slide, the last one is taken away after a
third of the frames and put back after two thirds, and the camera stands still, or does as
`--camera` says. Each frame has noise of its own. Each sequence asks for one object by shape and
colour: with all proposals made anew for each frame, and with each value of `still_within`, in
turns.

IoU is with the true mask of the frame, 0 for a refusal; frames on which the object is hidden do
not count. Printed are its mean over sequences, the mean difference from 'anew' with its 95 %
bootstrap interval over sequences, the share of frames with the same status, and the median time of
an answer after the first frame.
"""

import argparse
from dataclasses import replace
from pathlib import Path
import time

import numpy as np
from sequences import rendered, SHOWN_PX, targets, write_figures

from refdiff_ros.engine import Engine, resolve_preset
from refdiff_ros.evaluation.metrics.bootstrap import bootstrap_interval
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.models.manager import load_bundle
from refdiff_ros.results import Frame
from refdiff_ros.sim.motion import CAMERAS, moving_scenes
from refdiff_ros.sim.render import SceneView
from refdiff_ros.sim.scene import Scene
from refdiff_ros.sim.splits import split_scene


def sequence(args: argparse.Namespace, index: int) -> list[SceneView]:
    """The views of scene `index` of the split in motion, without noise."""
    scenes = moving_scenes(split_scene(args.split, index), args.frames, args.rate,
                           camera=args.camera)
    third = args.frames // 3
    scenes = [_without_last(scene) if third <= place < 2 * third else scene
              for place, scene in enumerate(scenes)]
    return rendered(scenes, tuple(args.size))


def _without_last(scene: Scene) -> Scene:
    """The scene without its last object, where nothing stands on that."""
    last = len(scene.things) - 1
    if any(thing.on == last for thing in scene.things):
        return scene
    return replace(scene, things=scene.things[:last])


def noisy(view: SceneView, sigma: float, seed: int) -> Frame:
    """The picture of a view as a camera gives it."""
    noise = np.random.default_rng(seed).normal(0, sigma, view.frame.image_rgb.shape)
    return Frame(np.clip(view.frame.image_rgb + noise, 0, 255).astype(np.uint8))


def run(args: argparse.Namespace) -> dict:
    """All sequences; the figures."""
    models = load_bundle(args.bundle)
    preset = resolve_preset(models, 'onboard')
    ways = {'anew': preset} | {
        f'{within:g}': preset.override({'proposals': {'still_within': within}})
        for within in args.tried}
    engines = {way: Engine(models, preset) for way, preset in ways.items()}
    means = {way: [] for way in ways}
    same, spent = {way: [] for way in ways}, {way: [] for way in ways}
    for index in range(args.first, args.first + args.sequences):
        views = sequence(args, index)
        asked = targets(views[0])
        if not asked:
            continue
        text, row = asked[index % len(asked)]
        found = {way: [] for way in ways}
        for place, view in enumerate(views):
            frame = noisy(view, args.noise, place)
            truth = view.masks[row] if row < len(view.masks) else None
            statuses = {}
            for way, engine in engines.items():
                began = time.perf_counter()
                answer = engine.segment(frame, text)
                if place:
                    spent[way].append(time.perf_counter() - began)
                statuses[way] = answer.status
                same[way].append(answer.status == statuses['anew'])
                if truth is not None and truth.sum() >= SHOWN_PX:
                    mask = answer.mask if answer.status.has_mask else np.zeros_like(truth)
                    found[way].append(iou(*overlap(mask, truth)))
        for engine in engines.values():
            engine.forget_frames()
        for way in ways:
            means[way].append(float(np.mean(found[way])))
        print(f'{text:28s} ' + '  '.join(f'{way} {means[way][-1]:.3f}' for way in ways),
              flush=True)
    return _figures(args, means, same, spent)


def _figures(args: argparse.Namespace, means: dict, same: dict, spent: dict) -> dict:
    result = {'asked': {name: value for name, value in vars(args).items() if name != 'json'}}
    for way, values in means.items():
        off = np.array(values) - means['anew']
        low, high = bootstrap_interval(off)
        result[way] = {
            'miou': float(np.mean(values)), 'difference': [float(off.mean()), low, high],
            'same_status': float(np.mean(same[way])),
            'ms': float(np.median(spent[way]) * 1e3)}
        print(f'{way:6s} mIoU {np.mean(values):.3f}, {off.mean():+.4f} ({low:+.4f} to '
              f'{high:+.4f}), same status {np.mean(same[way]):.1%}, '
              f'{np.median(spent[way]) * 1e3:.0f} ms')
    return result


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--bundle', default='tabletop_mini')
    parser.add_argument('--split', default='val', help='of whose scenes (default val)')
    parser.add_argument('--first', type=int, default=0, help='index of the first scene')
    parser.add_argument('--sequences', type=int, default=40)
    parser.add_argument('--frames', type=int, default=12)
    parser.add_argument('--rate', type=float, default=4.0, help='frames per second')
    parser.add_argument('--noise', type=float, default=3.0, help='standard deviation, 8-bit steps')
    parser.add_argument('--try', dest='tried', type=float, nargs='+', default=[8.0],
                        metavar='STEPS', help='values of still_within (default 8)')
    parser.add_argument('--camera', choices=CAMERAS, default='stands')
    parser.add_argument('--size', type=int, nargs=2, default=(480, 640), metavar=('H', 'W'))
    parser.add_argument('--json', type=Path, help='write the figures here')
    args = parser.parse_args()
    write_figures(run(args), args.json)


if __name__ == '__main__':
    main()
