"""Draw how an answer's cost grows: `docs/images/scale.webp` from runs of `refdiff bench`.

    for axis in image proposals expressions candidates; do
      OMP_NUM_THREADS=1 refdiff bench --bundle tabletop_mini --scale $axis --clock cpu \
        --preset onboard --baseline none --expressions 1 --frames 0 --repeats 3 \
        --json out/scale_$axis.json
    done
    python tools/scale_picture.py out/scale_*.json

Each axis in a process of its own: what a heap has been through before shows in its memory.
Seconds above, memory below. Each panel has logarithmic axes. The grey line is in proportion to
what is varied, through the first point: what is steeper than it grows faster.
"""

import argparse
import json
import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_PANEL_WH, _MARGIN = (360, 280), (56, 44, 14, 48)  # left, top, right, bottom
_AXES = {'image': 'megapixels of the picture', 'proposals': 'proposals',
         'expressions': 'expressions on one frame', 'candidates': 'candidates of the answer'}
# What is drawn of a row: its title, unit, and how many of the row's units make one of these.
_DRAWN = {'seconds': ('CPU seconds of the answer', 's', 1),
          'memory': ('memory above that in use before', 'MB', 1e6)}
# Of Okabe and Ito, which stay apart for colour-blind eyes.
_INK, _GREY, _LINE = (30, 30, 30), (175, 175, 175), (0, 114, 178)


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('runs', type=Path, nargs='+', help='JSON of refdiff bench --scale')
    parser.add_argument('--out', type=Path,
                        default=Path(__file__).parents[1] / 'docs' / 'images' / 'scale.webp')
    args = parser.parse_args()
    run = {name: values for path in args.runs
           for name, values in json.loads(path.read_text()).items()}
    width, height = _PANEL_WH
    picture = Image.new('RGB', (width * len(_AXES), height * len(_DRAWN)), 'white')
    for down, (what, (title, unit, units)) in enumerate(_DRAWN.items()):
        for across, (axis, varied) in enumerate(_AXES.items()):
            points = [(_size(row['value']), row[what] / units) for row in run[f'scale_{axis}']]
            picture.paste(panel(points, varied, title, unit), (across * width, down * height))
    picture.save(args.out, lossless=True)


def _size(value: str | int) -> float:
    if isinstance(value, str):
        width, height = map(int, value.split('x'))
        return width * height * 1e-6
    return float(value)


def panel(
    points: list[tuple[float, float]], varied: str, title: str, unit: str,
) -> Image.Image:
    """A cost over what was varied, and the line in proportion to it."""
    picture = Image.new('RGB', _PANEL_WH, 'white')
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    (first, start), (last, _) = points[0], points[-1]
    straight = [(first, start), (last, start * last / first)]
    costs = [y for _, y in points + straight]
    place = _Scale((first, last), (min(costs), max(costs)))
    left, top, right, bottom = place.frame
    draw.rectangle(place.frame, outline=_GREY)
    draw.line([place(*each) for each in straight], fill=_GREY, width=2)
    draw.line([place(*each) for each in points], fill=_LINE, width=3)
    for number, (x, y) in enumerate(points):
        u, v = place(x, y)
        draw.ellipse((u - 4, v - 4, u + 4, v + 4), fill=_LINE)
        draw.text((u, bottom + 5), _number(x), _INK, font, anchor='ma')
        # Above and below in turn: neighbours may stand close.
        draw.text((u, v - 19 if number % 2 else v + 6), f'{_number(y)} {unit}', _INK, font,
                  anchor='ma')
    draw.text(((left + right) / 2, bottom + 25), varied, _INK, font, anchor='ma')
    draw.text((left, top - 24), title, _INK, font)
    for y in (min(costs), max(costs)):
        draw.text((left - 6, place(first, y)[1]), _number(y), _INK, font, anchor='rm')
    return picture


def _number(value: float) -> str:
    return f'{value:.2g}' if value < 10 else f'{value:.0f}'


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
