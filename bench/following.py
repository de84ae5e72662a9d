"""How well a mask is carried on, on simulated tabletops in motion.

    python bench/following.py --sequences 10 --json out/following.json

The camera circles and nears or leaves the table, objects slide over it (`refdiff_ros.sim.motion`).
Each sequence asks for one object by shape and colour. Compared over the same frames:

each       Every frame is answered, as if answers took no time.
carried    Answers take `--latency` frames; in between the last one is carried to each frame.
held       Likewise, but the last mask stays as it was: what a node without carrying shows.
first      The first frame's answer, carried to the end.
true       The first frame's true mask, carried to the end: what carrying alone loses.

IoU is with the true mask of the frame; of each way the mean over all frames from the first on
which an answer is there, with a 95 % bootstrap interval over sequences. `true` is also given by
the time since the mask was true, and by what it says of itself (`kept`).
"""

import argparse
import itertools
from pathlib import Path
import time

import numpy as np
from sequences import rendered, targets, write_figures

from refdiff_ros.evaluation.metrics.bootstrap import bootstrap_interval
from refdiff_ros.evaluation.metrics.iou import iou, overlap
from refdiff_ros.pictures.mask_flow import flow_step, LOST_BELOW, MaskFlow, small_grey
from refdiff_ros.sim.motion import moving_scenes
from refdiff_ros.sim.render import SceneView
from refdiff_ros.sim.splits import split_scene

WAYS = ('each', 'carried', 'held', 'first', 'true')


def sequence(index: int, frames: int, rate_hz: float, size_hw: tuple[int, int]) -> list[SceneView]:
    """The views of test scene `index` in motion."""
    scenes = moving_scenes(split_scene('test', index), frames, rate_hz)
    return rendered(scenes, size_hw)


def carry(mask: np.ndarray, views: list[SceneView], steps: list) -> tuple[list, list, float]:
    """Masks and kept shares on `views`, the first of which is where `mask` is; seconds a frame."""
    flow = MaskFlow(mask[None], small_grey(views[0].frame.image_rgb).shape)
    masks, kept, began = [mask], [1.0], time.perf_counter()
    for step in steps:
        flow.step(step)
        found = flow.carried()
        masks.append(found.masks[0])
        kept.append(float(found.kept[0]))
    return masks, kept, (time.perf_counter() - began) / max(len(steps), 1)


def run(args: argparse.Namespace) -> dict:
    """All sequences; the figures."""
    from refdiff_ros.engine import Engine, resolve_preset
    from refdiff_ros.models.manager import load_bundle
    from refdiff_ros.presets import Mode

    models = load_bundle('tabletop_mini')
    # A refusal has no mask; whether one is right is measured elsewhere.
    preset = resolve_preset(models, 'onboard').override({'selection': {'decide': 'scores'}})
    engine = Engine(models, preset, Mode('full'))
    means = {way: [] for way in WAYS}
    by_age, said, spent = [], [], []
    index = 0
    while len(means['each']) < args.sequences:
        views = sequence(index, args.frames, args.rate, tuple(args.size))
        asked = targets(views[0])
        index += 1
        if not asked:
            continue
        text, row = asked[0]
        greys = [small_grey(view.frame.image_rgb) for view in views]
        began = time.perf_counter()
        steps = [flow_step(a, b) for a, b in itertools.pairwise(greys)]
        step_s = (time.perf_counter() - began) / len(steps)
        answers = [engine.segment(view.frame, text).mask for view in views]
        truths = [view.masks[row] for view in views]
        carried, held = _with_latency(answers, views, steps, args.latency)
        first = carry(answers[0], views, steps)
        true = carry(truths[0], views, steps)
        spent.append((step_s, true[2]))
        shown = {'each': answers, 'carried': carried, 'held': held, 'first': first[0],
                 'true': true[0]}
        for way in WAYS:
            means[way].append(float(np.mean([
                iou(*overlap(mask, truth)) for mask, truth in list(
                    zip(shown[way], truths, strict=True))[args.latency:] if truth.any()])))
        values = [iou(*overlap(mask, truth)) for mask, truth in zip(true[0], truths, strict=True)]
        by_age.append(values)
        said.extend(zip(true[1], values, strict=True))
        print(f'{text:24s} ' + '  '.join(f'{way} {means[way][-1]:.3f}' for way in WAYS),
              flush=True)
    return _figures(args, means, np.array(by_age), np.array(said), np.array(spent))


def _with_latency(
    answers: list[np.ndarray], views: list[SceneView], steps: list, latency: int,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What is shown on each frame with carrying and without; before an answer, an empty mask."""
    nothing = np.zeros_like(answers[0])
    carried, held = [nothing] * len(views), [nothing] * len(views)
    for start in range(0, len(views), latency):
        masks = carry(answers[start], views[start:], steps[start:start + 2 * latency])[0]
        for place in range(start + latency, min(start + 2 * latency, len(views))):
            carried[place], held[place] = masks[place - start], answers[start]
    return carried, held


def _figures(
    args: argparse.Namespace, means: dict[str, list[float]], by_age: np.ndarray,
    said: np.ndarray, spent: np.ndarray,
) -> dict:
    result = {'sequences': args.sequences, 'frames': args.frames, 'rate_hz': args.rate,
              'latency_frames': args.latency, 'size_hw': args.size, 'mean_iou': {}}
    for way in WAYS:
        values = np.array(means[way])
        low, high = bootstrap_interval(values)
        result['mean_iou'][way] = [float(values.mean()), low, high]
        print(f'{way:8s} mIoU {values.mean():.3f} ({low:.3f} to {high:.3f})')
    ages = range(0, args.frames, max(1, round(args.rate / 2)))
    result['true_by_s'] = {age / args.rate: float(by_age[:, age].mean()) for age in ages}
    print('true mask by age: ' + ', '.join(
        f'{age:.1f} s {value:.3f}' for age, value in result['true_by_s'].items()))
    tenths = np.minimum(said[:, 0] * 10, 9).astype(int)
    result['by_kept'] = [
        [tenth / 10, int((tenths == tenth).sum()), float(said[tenths == tenth, 1].mean())]
        for tenth in np.unique(tenths).tolist()]
    print('true mask by what it says of itself: ' + ', '.join(
        f'{low:.1f}+: {value:.2f} ({count})' for low, count, value in result['by_kept']))
    lost = said[:, 0] < LOST_BELOW
    result['lost'] = {'share': float(lost.mean()), 'iou_kept': float(said[~lost, 1].mean())}
    result['ms'] = {'flow': float(spent[:, 0].mean() * 1e3),
                    'masks': float(spent[:, 1].mean() * 1e3)}
    print(f'flow {result["ms"]["flow"]:.1f} ms a frame, masks {result["ms"]["masks"]:.1f} ms; '
          f'{lost.mean():.1%} of the frames said that it was lost')
    return result


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--sequences', type=int, default=10)
    parser.add_argument('--frames', type=int, default=45)
    parser.add_argument('--rate', type=float, default=15.0, help='frames per second')
    parser.add_argument('--latency', type=int, default=6, help='frames that an answer takes')
    parser.add_argument('--size', type=int, nargs=2, default=(192, 256), metavar=('H', 'W'))
    parser.add_argument('--json', type=Path, help='write the figures here')
    args = parser.parse_args()
    write_figures(run(args), args.json)


if __name__ == '__main__':
    main()
