"""The report's charts as inline SVG: histograms and the precision curve, of one run or two.

Colours come from the page's style sheet, so that they follow its colour scheme; the second run
is told apart by its hatching or its dashes as well. By hand, since the SVG of a plotting package
knows neither, and would bring its fonts.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
import math
from typing import Any

import numpy as np

from refdiff_ros.evaluation.html.templates import render

_WIDTH, _HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 44
_RUNS = 'ab'  # CSS classes
_CURVE_STEPS = 50
_MARKED = (0.5, 0.6, 0.7, 0.8, 0.9)


def iou_chart(ious: Sequence[Sequence[float]]) -> str:
    """How many cases have which IoU.

    Args:
        ious: of each run, 0..1.
    """
    edges = np.linspace(0, 1, 21)
    return _histogram('Distribution of IoU', 'IoU', ious, edges, lambda value: f'{value:.2f}',
                      [0, 0.2, 0.4, 0.6, 0.8, 1])


def difference_chart(differences: Sequence[float]) -> str:
    """How much better or worse the second run is in how many cases.

    Args:
        differences: of IoU, -1..1.
    """
    # An odd number of bars, so that one of them is centred on 0.
    return _histogram('Difference in IoU (B less A)', 'difference in IoU', [differences],
                      np.linspace(-1.05, 1.05, 22), lambda value: f'{value:+.2f}',
                      [-1, -0.5, 0, 0.5, 1])


def latency_chart(seconds: Sequence[Sequence[float]]) -> str:
    """How long answers take; the last bar holds whatever takes longer.

    Args:
        seconds: of each run, 0 or more.
    """
    millis = [np.asarray(values, float) * 1e3 for values in seconds]
    everything = np.concatenate(millis) if millis else np.zeros(0)
    # A few slow cases, such as the first, must not press all others into one bar.
    step = _nice(max(float(np.quantile(everything, 0.98)), 1e-3) / 19.9 if len(everything) else 1)
    edges = np.arange(22) * step
    clipped = [np.minimum(values, edges[-1]) for values in millis]
    ticks = [step * k for k in range(0, 21, 5)]
    return _histogram('Time of an answer', 'milliseconds (last bar: or more)', clipped, edges,
                      lambda value: f'{value:,.0f}' if step >= 1 else f'{value:.3g}', ticks)


def precision_chart(ious: Sequence[Sequence[float]]) -> str:
    """The share of cases whose IoU reaches each threshold.

    Args:
        ious: of each run, 0..1.
    """
    plot = _Plot('Precision at IoU thresholds', 0, 1, 1)
    plot.axes('threshold of IoU', [0, 0.2, 0.4, 0.6, 0.8, 1], lambda value: f'{value:.1f}')
    said = []
    for run, values in zip(_RUNS, ious):
        if not len(values):
            continue
        reached = np.asarray(values, float)
        points = [(t, float((reached >= t).mean()))
                  for t in np.arange(_CURVE_STEPS + 1) / _CURVE_STEPS]
        plot.line(points, run)
        for t in _MARKED:
            share = float((reached >= t).mean())
            plot.dot(t, share, run, f'{_of(run, ious)}Pr@{t}: {share:.1%}')
            said.append(f'{_of(run, ious)}{share:.0%} at {t}')
    return plot.svg(', '.join(said) or 'no cases')


def reliability_chart(title: str, bins: Sequence[Mapping[str, Any]]) -> str:
    """What share is right where how much is claimed, beside the diagonal of a perfect confidence.

    Args:
        title: of the chart.
        bins: each with 'low', 'high', 'count', 'confidence' and 'right', as from
            `reliability_bins`; the last two are None where the count is 0.
    """
    plot = _Plot(title, 0, 1, 1)
    plot.axes('confidence', [0, 0.2, 0.4, 0.6, 0.8, 1], lambda value: f'{value:.1f}')
    said = []
    for each in bins:
        if not each['count']:
            continue
        text = (f'{each["low"]:.1f} to {each["high"]:.1f}: {each["count"]} cases, '
                f'{each["confidence"]:.0%} claimed, {each["right"]:.0%} right')
        plot.bar(each['low'], each['high'] - each['low'], each['right'], 'a', text)
        plot.dot(each['confidence'], each['right'], 'b', text)
        said.append(text)
    plot.line([(0, 0), (1, 1)], 'b')
    return plot.svg('; '.join(said) or 'no cases')


def count_chart(title: str, bins: Sequence[Mapping[str, Any]]) -> str:
    """How many cases have which confidence.

    Args:
        title, bins: as in `reliability_chart`.
    """
    every = max(sum(each['count'] for each in bins), 1)
    plot = _Plot(title, 0, 1, _nice_top(max(each['count'] for each in bins) / every))
    plot.axes('confidence', [0, 0.2, 0.4, 0.6, 0.8, 1], lambda value: f'{value:.1f}')
    for each in bins:
        if each['count']:
            text = f'{each["low"]:.1f} to {each["high"]:.1f}: {each["count"]} cases'
            plot.bar(each['low'], each['high'] - each['low'], each['count'] / every, 'a', text)
    return plot.svg(f'{every} cases')


def _histogram(
    title: str, axis: str, series: Sequence[Sequence[float]], edges: np.ndarray,
    written: Callable[[float], str], ticks: Sequence[float],
) -> str:
    counts = [np.histogram(np.asarray(values, float), edges)[0] for values in series]
    shares = [each / max(each.sum(), 1) for each in counts]
    top = _nice_top(max((float(each.max()) for each in shares), default=0.0))
    plot = _Plot(title, float(edges[0]), float(edges[-1]), top)
    plot.axes(axis, ticks, written)
    for k, (low, high) in enumerate(pairwise(edges)):
        width = (high - low) / len(series)
        for place, (run, share, count) in enumerate(zip(_RUNS, shares, counts)):
            if count[k]:
                text = (f'{_of(run, series)}{written(low)} to {written(high)}: {count[k]} cases '
                        f'({share[k]:.1%})')
                plot.bar(low + place * width, width, float(share[k]), run, text)
    sizes = [f'{_of(run, series)}{sum(count)} cases, most of them around '
             f'{written(float(edges[:-1][count.argmax()] + edges[1:][count.argmax()]) / 2)}'
             for run, count in zip(_RUNS, counts) if count.any()]
    return plot.svg('; '.join(sizes) or 'no cases')


def _of(run: str, series: Sequence) -> str:
    return f'{run.upper()}: ' if len(series) > 1 else ''


class _Plot:
    """An SVG of a plot area with shares of cases on its vertical axis."""

    def __init__(self, title: str, low: float, high: float, top: float):
        self._title, self._low, self._high, self._top = title, low, high, top
        self._parts: list[dict[str, Any]] = []

    def axes(self, axis: str, ticks: Sequence[float], written: Callable[[float], str]) -> None:
        for share in np.linspace(0, self._top, 5):
            y = self._y(share)
            self._add('rule', name='grid' if share else 'base', x1=_LEFT, x2=_WIDTH - _RIGHT, y=y)
            digits = 0 if self._top >= 0.04 else 1
            self._text(_LEFT - 6, y + 4, f'{100 * share:.{digits}f}%', 'end')
        for tick in ticks:
            self._text(self._x(tick), _HEIGHT - _BOTTOM + 17, written(tick), 'middle')
        self._text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, axis, 'middle')

    def bar(self, start: float, width: float, share: float, run: str, text: str) -> None:
        x, y = self._x(start) + 0.5, self._y(share)
        wide = max(self._x(start + width) - self._x(start) - 1, 0.5)
        self._add('bar', run=run, x=f'{x:.1f}', y=y, width=f'{wide:.1f}',
                  height=f'{_HEIGHT - _BOTTOM - y:.1f}', text=text)

    def line(self, points: Sequence[tuple[float, float]], run: str) -> None:
        path = ' '.join(f'{self._x(x)},{self._y(y)}' for x, y in points)
        self._add('curve', run=run, points=path)

    def dot(self, x: float, y: float, run: str, text: str) -> None:
        self._add('dot', run=run, x=self._x(x), y=self._y(y), text=text)

    def svg(self, said: str) -> str:
        """The whole; `said` is what a reader who cannot see it hears."""
        return render('chart.html', title=self._title, said=said, parts=self._parts,
                      size=(_WIDTH, _HEIGHT))

    def _x(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def _y(self, share: float) -> float:
        return round(_HEIGHT - _BOTTOM - share / self._top * (_HEIGHT - _BOTTOM - _TOP), 1)

    def _text(self, x: float, y: float, text: str, anchor: str) -> None:
        self._add('text', x=f'{x:.1f}', y=f'{y:.1f}', anchor=anchor, text=text)

    def _add(self, kind: str, **values: Any) -> None:
        self._parts.append({'kind': kind, **values})


def _nice(value: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10)
                if power * factor >= value * (1 - 1e-9))


def _nice_top(share: float) -> float:
    """A round share at or above the highest, at most 1."""
    tops = (0.02, 0.04, 0.08, 0.12, 0.2, 0.32, 0.4, 0.6, 0.8, 1.0)
    return next((top for top in tops if top >= share), 1.0)
