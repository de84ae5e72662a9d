"""Memory runs out as each stage begins: the call says so, and the next answer is right."""

from faults import HANGING, picture_message, stages
import numpy as np
from row import Effort, Outcome, Row

TIMES = 20


def measure(effort: Effort) -> Outcome:
    """A fault in each stage in turn, then the same question as before it."""
    from ros_graph import GraphClient, NodeProcess

    node = NodeProcess({'service_timeout': 300.0}, HANGING)
    client = GraphClient()
    trials: list[dict] = []
    pictures = 0
    try:
        client.wait_until('active')
        names = stages(client, node)
        asked = picture_message(0)
        right = client.call('the blue box on the right', asked)
        while len(trials) < TIMES and effort.left_s > 30.0:
            stage = names[len(trials) % len(names)]
            seen, pictures = len(node.lines), pictures + 1
            failed = client.call(f'fault memory {stage}', picture_message(pictures))
            if not any(line.startswith('fault memory') for line in node.lines[seen:]):
                continue  # nothing was found in this picture before the stage was reached
            again = client.call('the blue box on the right', asked)
            trials.append({
                'stage': stage, 'status': int(failed.status),
                'said': failed.status == failed.mask.OUT_OF_MEMORY,
                'right': again.status == right.status and np.array_equal(
                    again.mask.mask.data, right.mask.mask.data)})
            print(trials[-1], failed.reason[:80], flush=True)
    finally:
        client.close()
        ended = node.stop()
    said, correct = (sum(each[key] for each in trials) for key in ('said', 'right'))
    return Outcome(
        f'{said} of {len(trials)} OUT_OF_MEMORY over {len(names)} stages, {correct} of '
        f'{len(trials)} next answers right',
        bool(trials) and said == correct == len(trials) and ended == 0, {'trials': trials})


ROW = Row('out of memory injected at each stage', '20 of 20 OUT_OF_MEMORY, next answer right',
          measure)
