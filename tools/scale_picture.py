"""Draw how an answer's seconds grow: `docs/images/scale.webp` from a run of `refdiff bench`.

    refdiff bench --bundle tabletop_mini --scale --clock cpu --preset onboard --baseline none \
        --expressions 1 --frames 0 --repeats 1 --json out/scale.json
    python tools/scale_picture.py out/scale.json

Each panel has logarithmic axes. The grey line is in proportion to what is varied, through the
first point: what is steeper than it grows faster.
"""

import argparse
import json
import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_PANEL_WH, _MARGIN = (400, 300), (62, 44, 18, 48)  # left, top, right, bottom
_AXES = {'image': 'megapixels of the picture', 'proposals': 'proposals',
         'expressions': 'expressions on one frame'}
# Of Okabe and Ito, which stay apart for colour-blind eyes.
_INK, _GREY, _LINE = (30, 30, 30), (175, 175, 175), (0, 114, 178)


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run', type=Path, help='JSON of refdiff bench --scale')
    parser.add_argument('--out', type=Path,
                        default=Path(__file__).parents[1] / 'docs' / 'images' / 'scale.webp')
    args = parser.parse_args()
    run = json.loads(args.run.read_text())
    width, height = _PANEL_WH
    picture = Image.new('RGB', (width * len(_AXES), height), 'white')
    for place, (axis, title) in enumerate(_AXES.items()):
        points = [(_size(row['value']), row['seconds']) for row in run[f'scale_{axis}']]
        picture.paste(panel(points, title), (place * width, 0))
    picture.save(args.out, lossless=True)


def _size(value: str | int) -> float:
    if isinstance(value, str):
        width, height = map(int, value.split('x'))
        return width * height * 1e-6
    return float(value)


def panel(points: list[tuple[float, float]], title: str) -> Image.Image:
    """Seconds over what was varied, and the line in proportion to it."""
    picture = Image.new('RGB', _PANEL_WH, 'white')
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    (first, start), (last, _) = points[0], points[-1]
    straight = [(first, start), (last, start * last / first)]
    seconds = [y for _, y in points + straight]
    place = _Scale((first, last), (min(seconds), max(seconds)))
    left, top, right, bottom = place.frame
    draw.rectangle(place.frame, outline=_GREY)
    draw.line([place(*each) for each in straight], fill=_GREY, width=2)
    draw.line([place(*each) for each in points], fill=_LINE, width=3)
    for x, y in points:
        u, v = place(x, y)
        draw.ellipse((u - 4, v - 4, u + 4, v + 4), fill=_LINE)
        draw.text((u, bottom + 5), f'{x:.2g}' if x < 10 else f'{x:.0f}', _INK, font, anchor='ma')
        draw.text((u, v - 19), f'{y:.2g} s', _INK, font, anchor='ma')
    draw.text(((left + right) / 2, bottom + 25), title, _INK, font, anchor='ma')
    draw.text((left, top - 24), 'CPU seconds of the answer', _INK, font)
    for y in (min(seconds), max(seconds)):
        draw.text((left - 6, place(first, y)[1]), f'{y:.2g}', _INK, font, anchor='rm')
    return picture


class _Scale:
    """Places of values in a panel with logarithmic axes."""

    def __init__(self, xs: tuple[float, float], ys: tuple[float, float]):
        width, height = _PANEL_WH
        left, top, right, bottom = _MARGIN
        self.frame = left, top, width - right, height - bottom
        self._logs = [tuple(map(math.log, ends)) for ends in (xs, ys)]

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        left, top, right, bottom = self.frame
        across, up = (
            (math.log(value) - low) / (high - low)
            for value, (low, high) in zip((x, y), self._logs, strict=True))
        inner = 24  # points keep off the frame
        return (left + inner + across * (right - left - 2 * inner),
                bottom - inner - up * (bottom - top - 2 * inner))


if __name__ == '__main__':
    main()
