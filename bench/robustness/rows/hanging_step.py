"""A stage hangs: when is it reported, and is the process gone and started again?

Every second fault holds Python's interpreter lock, so that only the guard can act. The node is
started by launch's respawn where launch_ros is installed, else by this row in its place.
"""

import time

from faults import HANGING, picture_message, stages
from row import Effort, Outcome, Row

TIMES = 20
STEP_TIMEOUT_S = 3.0
# What a report may take beyond step_timeout.
LATE_S = 1.0


def measure(effort: Effort) -> Outcome:
    """A node for each fault: its start, the fault, the report, its end, the next one's start."""
    from ros_graph import GraphClient, NodeProcess

    client = GraphClient()
    trials: list[dict] = []
    names: list[str] = []
    longest_s = 0.0
    try:
        while len(trials) < TIMES and effort.left_s > 1.5 * longest_s:
            began_s = effort.spent_s
            node = NodeProcess({'on_hang': 'exit', 'service_timeout': 300.0}, HANGING)
            try:
                client.wait_until('active')
                names = names or stages(client, node)
                stage = names[len(trials) % len(names)]
                kind = 'lock' if len(trials) % 2 else 'hang'
                trials.append({'stage': stage, 'kind': kind} | _trial(client, node, kind, stage))
            finally:
                node.kill()
            print(trials[-1], flush=True)
            longest_s = max(longest_s, effort.spent_s - began_s)
    finally:
        client.close()
    return _outcome(trials)


def _trial(client, node, kind: str, stage: str) -> dict:
    """Seconds from the fault to its report and to the end of the process."""
    from ros_graph import wait_for

    client.call('the blue box', picture_message(0))  # what loads late is there by now
    client.set_parameter('step_timeout', STEP_TIMEOUT_S)
    client.diagnostics.clear()
    call = client.call_async(f'fault {kind} {stage}', picture_message(1))
    node.wait_for_output(f'fault {kind} {stage} begins')
    began_s = time.monotonic()
    word = 'hangs' if kind == 'hang' else 'held the interpreter'
    node.wait_for_output(f"the step '{stage}' {'has ' if kind == 'lock' else ''}{word}")
    reported_s = time.monotonic() - began_s
    status = node.wait()
    gone_s = time.monotonic() - began_s
    wait_for(lambda: any(s.level == b'\2' and f"'{stage}'" in s.message
                         for report in list(client.diagnostics) for s in report.status))
    return {'reported_s': round(reported_s, 2), 'gone_s': round(gone_s, 2), 'status': status,
            'answered': call.done()}


def _outcome(trials: list[dict]) -> Outcome:
    in_time = sum(each['reported_s'] <= STEP_TIMEOUT_S + LATE_S for each in trials)
    answered = [each['answered'] for each in trials if each['kind'] == 'hang']
    latest = max((each['reported_s'] for each in trials), default=0.0)
    gone = max((each['gone_s'] for each in trials), default=0.0)
    return Outcome(
        f'{in_time} of {len(trials)} reported within step_timeout + {LATE_S:g} s (latest '
        f'+{latest - STEP_TIMEOUT_S:.2f} s), {len(trials)} of {len(trials)} processes gone '
        f'(latest after {gone:.1f} s) and started again; {sum(answered)} of {len(answered)} calls '
        'answered where the interpreter was free',
        bool(trials) and in_time == len(trials) and all(answered), {'trials': trials})


ROW = Row('hang injected at each stage, every second one holding the interpreter',
          '20 of 20 reported within step_timeout + 1 s, process gone and respawned', measure)
