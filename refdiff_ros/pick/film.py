"""A pick as a moving picture and as a timeline."""

from collections.abc import Iterator, Sequence
from pathlib import Path
import textwrap
from typing import Any

import numpy as np

from refdiff_ros.console import to_json
from refdiff_ros.optional import require_package

_TINT = np.array([40, 220, 90])
_WIDTH = 480
_LAST_S = 2.0
_BAND_PX = 58
_LINE, _LETTER_PX = 68, 13  # characters, and their height
_SECOND, _MARK = (160, 220, 170), (255, 176, 40)
# While nothing moves and nothing else is said, so many seconds are shown.
_STILL_S = 1.5
_STILL_LEVELS = 0.3
# Pictures by which the film's colours are chosen.
_SAMPLED = 12


def write_gif(path: Path, frames: Sequence[tuple[float, np.ndarray]],
              events: Sequence[Any], title: str, frame_s: float, ended: str = '') -> None:
    """Write a GIF. Of a time in which nothing happens, only its beginning is shown.

    Args:
        path: of the file; its folder is made.
        frames: seconds and pictures (H, W, 3) uint8, in order, at least one.
        events: with `at_s`, `stage`, `mask` (H, W) bool or None, and `marks`; the mask is shown as
            a tint from its coming until the fingers close, marks (text and box x1, y1, x2, y2 in
            pixels) while the event is the newest.
        title: shown above the stage.
        frame_s: how long each picture stays, seconds; the last stays longer.
        ended: how it ended, shown with the last picture.
    """
    pictures = [_frame(image, event, title, at_s)
                for at_s, image, event in _eventful(frames, events, frame_s)]
    if ended:
        at_s, image = frames[-1]
        pictures[-1] = _frame(image, None, title, at_s, ended)
    colours = _palette(pictures)
    shown = [picture.quantize(palette=colours, dither=0) for picture in pictures]
    seconds = [frame_s] * (len(shown) - 1) + [_LAST_S]
    path.parent.mkdir(parents=True, exist_ok=True)
    shown[0].save(path, save_all=True, append_images=shown[1:], loop=0, optimize=False,
                  duration=[round(value * 1000) for value in seconds])


def write_timeline(folder: Path, values: dict[str, Any]) -> None:
    """Write `timeline.json` and, to be read, `timeline.txt`.

    Args:
        folder: made where it is not there.
        values: with 'expression', 'events' (each with 'at_s', 'stage', 'note'), 'result', and
            'truth', '' where nobody judged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'timeline.json').write_text(to_json(values, indent=1) + '\n')
    lines = [f'{event["at_s"]:7.2f} s  {event["stage"]:<10} {event["note"]}'
             for event in values['events']]
    end = values['result']
    lines.append(f'{end["at_s"]:7.2f} s  {end["status"]:<10} {end["reason"]}')
    lines += [f'in truth: {values["truth"]}'] if values['truth'] else []
    (folder / 'timeline.txt').write_text('\n'.join([f'"{values["expression"]}"', *lines]) + '\n')


def _eventful(frames: Sequence[tuple[float, np.ndarray]], events: Sequence[Any], frame_s: float,
              ) -> Iterator[tuple[float, np.ndarray, Any]]:
    """The frames with their events, without those of long times in which nothing happens."""
    last, before, still = None, None, 0
    for at_s, image in frames:
        event = _stage_at(events, at_s)
        same = last is not None and event is before and image.shape == last.shape and (
            np.abs(image.astype(np.int16) - last).mean() < _STILL_LEVELS)
        still = still + 1 if same else 0
        last, before = image, event
        if still * frame_s <= _STILL_S:
            yield at_s, image, event


def _stage_at(events: Sequence[Any], at_s: float) -> Any:
    """The event that was the last at that moment, None before the first."""
    past = [event for event in events if event.at_s <= at_s]
    return past[-1] if past else None


def _palette(pictures: Sequence[Any]) -> Any:
    """The colours of all pictures, chosen by some of them: those of each would flicker."""
    image = require_package('PIL.Image', 'sim')
    some = pictures[::max(len(pictures) // _SAMPLED, 1)]
    width, height = some[0].size
    sheet = image.new('RGB', (width, height * len(some)))
    for row, picture in enumerate(some):
        sheet.paste(picture, (0, height * row))
    return sheet.quantize(255, kmeans=1)


def _frame(image_rgb: np.ndarray, event: Any, title: str, at_s: float, ended: str = '') -> Any:
    picture = require_package('PIL.Image', 'sim')
    pixels = image_rgb
    if event is not None and event.mask is not None and event.stage.name in (
            'GROUNDING', 'APPROACH') and event.mask.shape == image_rgb.shape[:2]:
        pixels = image_rgb.copy()
        pixels[event.mask] = (0.5 * pixels[event.mask] + 0.5 * _TINT).astype(np.uint8)
    scale = _WIDTH / image_rgb.shape[1]
    height = round(image_rgb.shape[0] * scale)
    canvas = picture.new('RGB', (_WIDTH, height + _BAND_PX), 'black')
    canvas.paste(picture.fromarray(pixels).resize((_WIDTH, height)), (0, 0))
    stage = ended or ('start' if event is None else f'{event.stage.name.lower()}: {event.note}')
    draw = require_package('PIL.ImageDraw', 'sim').Draw(canvas)
    font = require_package('PIL.ImageFont', 'sim').load_default(_LETTER_PX)
    for text, box in () if event is None or ended else event.marks:
        x1, y1, x2, y2 = (scale * side for side in box)
        draw.rectangle((x1, y1, x2, y2), outline=_MARK, width=2)
        draw.text(((x1 + x2) / 2, (y1 + y2) / 2), text, anchor='mm', font=font, fill='white',
                  stroke_width=2, stroke_fill='black')
    draw.text((6, height + 4), _lines(f'"{title}"', 1), fill='white', font=font)
    draw.multiline_text((6, height + 21), _lines(f'{at_s:5.1f} s  {stage}', 2), fill=_SECOND,
                        font=font, spacing=3)
    return canvas


def _lines(text: str, most: int) -> str:
    return '\n'.join(textwrap.wrap(text, _LINE, max_lines=most, placeholder=' ...'))
