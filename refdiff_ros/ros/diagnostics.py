"""What `/diagnostics` says: models, inputs, answers, and the reason for silence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
import resource
import sys
import time
from typing import Any, TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.time import Time

from refdiff_ros.results import Status
from refdiff_ros.ros.inputs import Inputs
from refdiff_ros.ros.statistics import Statistics
from refdiff_ros.ros.step_watch import RunningStep

if TYPE_CHECKING:
    from refdiff_ros.models.model_set import ModelSet


@dataclass
class ModelState:
    """Where the models stand.

    Attributes:
        state: 'not loaded', 'loading', 'loaded' or 'failed'.
        detail: a sentence: what is loaded, since when it loads, or why it failed.
        device: where the models are, or ''.
        memory: name to text, as reported once after loading.
    """

    state: str = 'not loaded'
    detail: str = ''
    device: str = ''
    memory: Mapping[str, str] = field(default_factory=dict)


def loaded(models: Any, seconds: float) -> ModelState:
    """The state after a `ModelSet` was loaded within `seconds`."""
    notice = f'; {models.notice}' if models.notice else ''
    return ModelState(
        'loaded', f"bundle '{models.name}' on {models.device} in {models.dtype}, "
        f'{seconds:.1f} s{notice}', str(models.device), memory_values(models))


def why_inactive(lifecycle: str, models: ModelState) -> str:
    """Why a node that is not active answers nothing, and what to do."""
    if models.state in ('loading', 'failed'):
        todo = 'wait, and ask again' if models.state == 'loading' else \
            'repair that, then configure and activate the node'
        return f'models {models.state}, {models.detail}: {todo}'
    return f"the node is '{lifecycle}': configure and activate it"


def hang_text(step: RunningStep, limit_s: float) -> str:
    """A sentence on a step that hangs, and what to do."""
    return (f"the step '{step.name}' hangs: it has not ended within {limit_s:g} s (step_timeout); "
            'end the node and start it again, or raise step_timeout where the device is slow')


@dataclass(frozen=True)
class Situation:
    """What diagnostics looks at.

    Attributes:
        lifecycle: the lifecycle state's label.
        expression: the standing expression, '' for none.
        queued: service calls that wait.
        clock_stands_still: use_sim_time is set and no /clock has come.
        max_age_s: age from which the newest image is stale.
        forgotten: the standing expression that `deactivate` dropped, '' for none.
        hang: which step hangs, a sentence; '' for none.
    """

    lifecycle: str
    expression: str
    queued: int
    clock_stands_still: bool
    max_age_s: float
    forgotten: str = ''
    hang: str = ''


def silence(
    situation: Situation, models: ModelState, inputs: Inputs, statistics: Statistics,
) -> str:
    """Why no answers come out on the topics, the first cause first; '' when they do."""
    if situation.hang:
        return situation.hang
    if models.state in ('loading', 'failed'):
        return f'models {models.state}: {models.detail}'
    if situation.lifecycle != 'active':
        return (f"the node is '{situation.lifecycle}': configure and activate it, or start it "
                'with autostart')
    if situation.clock_stands_still:
        return 'use_sim_time is set and no /clock comes: start the simulator or the bag'
    subscribed = inputs.inputs
    if not subscribed:
        return 'not subscribed: the node is being deactivated'
    image = subscribed['image']
    reason = inputs.silence(image)
    if reason:
        return reason
    age_s = time.monotonic() - image.last_s
    if age_s > situation.max_age_s:
        return f'{inputs.topic(image)}: the last image came {age_s:.1f} s ago'
    if not situation.expression:
        before = f' ({situation.forgotten[:200]!r} was dropped when the node was deactivated)' \
            if situation.forgotten else ''
        return (f'no standing expression{before}: publish one on '
                f'{inputs.topic(subscribed["expression"])}, or call the service')
    status, text = statistics.last
    if status not in (Status.UNKNOWN, Status.FOUND, Status.AMBIGUOUS, Status.NOT_FOUND):
        return f'the last answer was {status.name}: {text}'
    return ''


def report(
    name: str,
    stamp: Time,
    situation: Situation,
    models: ModelState,
    inputs: Inputs,
    statistics: Statistics,
) -> DiagnosticArray:
    """The whole message; `name` is the node's full name."""
    reason = silence(situation, models, inputs, statistics)
    array = DiagnosticArray(status=[
        _models(name, models),
        _inputs(name, inputs),
        _answers(name, situation, statistics, reason),
    ])
    array.header.stamp = stamp.to_msg()
    return array


def _status(name: str, level: bytes, message: str, values: Mapping[str, object],
            hardware: str = '') -> DiagnosticStatus:
    return DiagnosticStatus(
        name=name, level=level, message=message, hardware_id=hardware,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])


def _models(name: str, models: ModelState) -> DiagnosticStatus:
    levels = {'loaded': DiagnosticStatus.OK, 'failed': DiagnosticStatus.ERROR}
    return _status(
        f'{name}: models', levels.get(models.state, DiagnosticStatus.WARN),
        f'{models.state}: {models.detail}' if models.detail else models.state,
        {'state': models.state, 'resident memory MB': f'{resident_mb():.0f}', **models.memory},
        models.device)


def _inputs(name: str, inputs: Inputs) -> DiagnosticStatus:
    values: dict[str, str] = {}
    worst = ''
    for role, item in inputs.inputs.items():
        reason = inputs.silence(item)
        if role == 'image' and reason:
            worst = reason
        age = f'{time.monotonic() - item.last_s:.2f}' if item.received else 'never'
        values[f'{role} topic'] = inputs.topic(item)
        values[f'{role} received'] = str(item.received)
        values[f'{role} last s ago'] = age
        values[f'{role} qos'] = f'{item.qos.reliability.name}, {item.qos.durability.name}'.lower()
        if reason:
            values[f'{role} problem'] = reason
    message = worst or ('receiving images' if inputs.inputs else 'not subscribed')
    level = DiagnosticStatus.WARN if worst or not inputs.inputs else DiagnosticStatus.OK
    return _status(f'{name}: inputs', level, message, values)


def _answers(
    name: str, situation: Situation, statistics: Statistics, reason: str,
) -> DiagnosticStatus:
    status, text = statistics.last
    values = {
        'lifecycle state': situation.lifecycle,
        'reason for silence': reason,
        'standing expression': situation.expression,
        'images per second': f'{statistics.images.hz():.1f}',
        'answers per second': f'{statistics.answers.hz():.1f}',
        'carried per second': f'{statistics.carried.hz():.1f}',
        'calls waiting': situation.queued,
        'last status': status.name,
        'last reason': text,
        'last notes': '; '.join(statistics.last_notes),
        'last latency ms': f'{statistics.last_latency_ms:.1f}',
        'last model ms': f'{statistics.last_model_ms:.1f}',
    }
    for key, count in sorted(statistics.by_status.items(), key=lambda item: str(item[0])):
        values[f'count {key.name if isinstance(key, Status) else key}'] = count
    level = DiagnosticStatus.WARN if reason else DiagnosticStatus.OK
    return _status(
        f'{name}: answers', DiagnosticStatus.ERROR if situation.hang else level,
        reason or 'answering', values)


def resident_mb() -> float:
    """Resident memory of this process now, in megabytes; its peak where /proc is missing."""
    try:
        with Path('/proc/self/statm').open(encoding='ascii') as statm:
            return int(statm.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        unit = 1 if sys.platform == 'darwin' else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def memory_values(models: 'ModelSet') -> dict[str, str]:
    """The model manager's memory report as texts."""
    from refdiff_ros.models import memory

    return {'memory after loading': str(memory.report(models))}
