"""A pick as a moving picture and as a timeline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refdiff_ros.console import to_json
from refdiff_ros.optional import require_package

_TINT = np.array([40, 220, 90])
_WIDTH = 480
_LAST_S = 2.0
_BAND_PX = 36
_LINE = 78  # characters
_SECOND = (160, 220, 170)


def write_gif(path: Path, frames: Sequence[tuple[float, np.ndarray]],
              events: Sequence[Any], title: str, frame_s: float, ended: str = '') -> None:
    """Write a GIF.

    Args:
        path: of the file; its folder is made.
        frames: seconds and pictures (H, W, 3) uint8, in order, at least one.
        events: with `at_s`, `stage`, and `mask` (H, W) bool or None; the mask is shown as a
            tint from its coming until the fingers close.
        title: shown beside the stage.
        frame_s: how long each picture stays, seconds; the last stays longer.
        ended: how it ended, shown with the last picture.
    """
    pictures = [_frame(image, _stage_at(events, at_s), title, at_s) for at_s, image in frames]
    if ended:
        at_s, image = frames[-1]
        pictures[-1] = _frame(image, None, title, at_s, ended)
    seconds = [frame_s] * (len(pictures) - 1) + [_LAST_S]
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], loop=0, optimize=False,
                     duration=[round(value * 1000) for value in seconds])


def write_timeline(folder: Path, values: dict[str, Any]) -> None:
    """Write `timeline.json` and, to be read, `timeline.txt`.

    Args:
        folder: made where it is not there.
        values: with 'expression', 'events' (each with 'at_s', 'stage', 'note') and 'result'.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'timeline.json').write_text(to_json(values, indent=1) + '\n')
    lines = [f'{event["at_s"]:7.2f} s  {event["stage"]:<10} {event["note"]}'
             for event in values['events']]
    end = values['result']
    lines.append(f'{end["at_s"]:7.2f} s  {end["status"]:<10} {end["reason"]}')
    (folder / 'timeline.txt').write_text(
        '\n'.join([f'"{values["expression"]}"', *lines, f'in truth: {values["truth"]}']) + '\n')


def _stage_at(events: Sequence[Any], at_s: float) -> Any:
    """The event that was the last at that moment, None before the first."""
    past = [event for event in events if event.at_s <= at_s]
    return past[-1] if past else None


def _frame(image_rgb: np.ndarray, event: Any, title: str, at_s: float, ended: str = '') -> Any:
    picture = require_package('PIL.Image', 'sim')
    pixels = image_rgb
    if event is not None and event.mask is not None and event.stage.name in (
            'GROUNDING', 'APPROACH') and event.mask.shape == image_rgb.shape[:2]:
        pixels = image_rgb.copy()
        pixels[event.mask] = (0.5 * pixels[event.mask] + 0.5 * _TINT).astype(np.uint8)
    height = round(image_rgb.shape[0] * _WIDTH / image_rgb.shape[1])
    canvas = picture.new('RGB', (_WIDTH, height + _BAND_PX), 'black')
    canvas.paste(picture.fromarray(pixels).resize((_WIDTH, height)), (0, 0))
    stage = ended or ('start' if event is None else f'{event.stage.name.lower()}: {event.note}')
    draw = require_package('PIL.ImageDraw', 'sim').Draw(canvas)
    draw.text((6, height + 4), f'"{title}"'[:_LINE], fill='white')
    draw.text((6, height + 18), f'{at_s:5.1f} s  {stage}'[:_LINE], fill=_SECOND)
    return canvas.quantize(128)
