"""Figures of a recording of answers, and the lines that say what was measured how."""

from typing import Any

import numpy as np

from refdiff_ros.console import some
from refdiff_ros.evaluation.metrics.latency import latency_ms
from refdiff_ros.evaluation.online.scoring import Heard

# Played later than this, the bag's timing was not kept.
_LATE_MS = 50.0


def online_figures(heard: Heard, labels: int, unanswered: int, not_asked: int) -> dict[str, Any]:
    """Every figure that comes of playing, ready for JSON: None where there is none.

    Args:
        heard: the recording.
        labels: how many have a picture in the bag.
        unanswered: of them, asked without an answer.
        not_asked: of them, not asked.

    Returns:
        'plays'; 'frames' (sent while an expression stood), 'frames_received' (by the node, as it
        says), 'frames_answered', 'frames_dropped', 'dropped_share' (0..1);
        'labels_matched', 'labels_unanswered', 'labels_not_asked'; 'playing_s', 'sent_per_second',
        'frames_per_second' (answered), 'answers_per_second'; latency as 'mean_ms' to 'max_ms',
        the age of the frame at its answer as 'age_mean_ms' to 'age_max_ms', and 'late_p95_ms',
        how late pictures were sent.
    """
    answered = len(heard.answered)
    spans = heard.spans.values()
    playing_s = sum(span.last_ns - span.first_ns for span in spans) * 1e-9
    sending_s = sum(span.sent_ns - span.first_ns for span in spans) * 1e-9
    gaps = heard.frames - len(spans)

    def rate(count: int) -> float | None:
        return round(count / playing_s, 3) if playing_s > 0 else None
    return {
        'plays': len(heard.spans), 'frames': heard.frames, 'frames_received': heard.received,
        'frames_answered': answered, 'frames_dropped': heard.frames - answered,
        'dropped_share': round(1 - answered / heard.frames, 4) if heard.frames else None,
        'labels_matched': labels, 'labels_unanswered': unanswered, 'labels_not_asked': not_asked,
        'playing_s': round(playing_s, 3),
        'sent_per_second': round(gaps / sending_s, 3) if sending_s > 0 else None,
        'frames_per_second': rate(answered), 'answers_per_second': rate(heard.count),
        **latency_ms(heard.latency_s),
        **{f'age_{name}': value for name, value in latency_ms(heard.age_s).items()},
        'late_p95_ms': round(float(np.percentile(heard.late_ms, 95)), 1) if heard.late_ms
        else None}


def lines(found: dict[str, Any], heard: Heard, max_rate: float) -> list[str]:
    """The figures for people.

    Args:
        found: as `online_figures` gives them.
        heard: the recording.
        max_rate: the node's parameter, answers per second.
    """
    asked = found['labels_matched'] - found['labels_not_asked']
    not_asked = f'; {found["labels_not_asked"]} not asked' if found['labels_not_asked'] else ''
    result = [
        f'labels: {asked - found["labels_unanswered"]} of {asked} answered, and IoU is over these '
        f'alone; {found["labels_unanswered"]} unanswered{not_asked}',
        f'frames: {found["frames"]} sent ({_text(found["sent_per_second"])} frames/s), '
        f'{found["frames_answered"]} answered, {found["frames_dropped"]} dropped '
        f'({_percent(found["dropped_share"])}): the newest frame wins',
        f'{_text(found["frames_per_second"])} frames/s answered, '
        f'{_text(found["answers_per_second"])} answers/s; the node gives at most {max_rate:g} '
        '(max_rate)',
        f'latency, receipt of the image to its answer, as the node says: '
        f'{_text(found["p50_ms"])} ms (median), {_text(found["p95_ms"])} ms (95 %)',
        f'age of the frame when its answer came, from its sending: '
        f'{_text(found["age_p50_ms"])} ms (median), {_text(found["age_p95_ms"])} ms (95 %), '
        f'{_text(found["age_max_ms"])} ms (worst)']
    return result + _warnings(found, heard)


def _warnings(found: dict[str, Any], heard: Heard) -> list[str]:
    result = []
    received = found['frames_received']
    if received is not None and received < found['frames']:
        result.append(f'{found["frames"] - received} frames did not reach the node: they count '
                      'as dropped')
    if found['late_p95_ms'] is not None and found['late_p95_ms'] > _LATE_MS:
        result.append(f'the bag\'s timing was not kept: 5 % of the frames were sent '
                      f'{found["late_p95_ms"]:g} ms or more late; play slower (--rate), or on a '
                      'machine with more cores')
    if heard.trouble:
        result.append(f'the node says: {heard.trouble}')
    if heard.failures:
        worst = sorted(heard.failures, key=heard.failures.__getitem__, reverse=True)
        result.append(f'{sum(heard.failures.values())} answers without a mask: '
                      f'{some(worst, 3)}')
    if found['labels_unanswered']:
        result.append('to have more labels answered, play slower (--rate)')
    return result


def _text(value: float | None) -> str:
    return '-' if value is None else f'{value:g}'


def _percent(share: float | None) -> str:
    return '-' if share is None else f'{share:.0%}'
