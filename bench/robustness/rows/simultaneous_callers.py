"""Two hundred clients with ROS's default QoS, in twenty processes, call at once."""

from collections import Counter
import json
from pathlib import Path
import subprocess
import sys

from row import Effort, Outcome, Row

PROCESSES, CLIENTS, ROUNDS = 20, 10, 10
# For an answer, seconds: refusals are paced.
PATIENCE_S = 60.0
_CALLERS = Path(__file__).resolve().parents[3] / 'test' / 'callers.py'


class Callers:
    """Processes whose clients call on command.

    Args:
        processes: how many.
        clients: in each.
        patience_s: how long a call waits for its answer.
    """

    def __init__(self, processes: int, clients: int, patience_s: float = PATIENCE_S):
        self._processes = [
            subprocess.Popen([sys.executable, str(_CALLERS), str(clients), str(patience_s)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)]
        for process in self._processes:
            line = process.stdout.readline()
            assert line == 'ready\n', line

    def call(self) -> tuple[Counter, float]:
        """One round: answers by status, with 'lost', and seconds until the last of them."""
        for process in self._processes:
            process.stdin.write('call\n')
            process.stdin.flush()
        total: Counter = Counter()
        last_s = 0.0
        for process in self._processes:
            heard = json.loads(process.stdout.readline())
            total.update(heard['statuses'])
            last_s = max(last_s, heard['last_s'])
        return total, last_s

    def close(self) -> None:
        """End them."""
        for process in self._processes:
            process.stdin.close()
            process.wait()


def measure(effort: Effort) -> Outcome:
    """Rounds of simultaneous calls to a node that answers one after the other."""
    from ros_graph import GraphClient, image, NodeProcess

    node = NodeProcess({'service_timeout': 300.0, 'max_age': 3600.0})
    client = GraphClient()
    callers = None
    rounds: list[dict] = []
    try:
        node.wait_for_output('active: images')
        client.publish('image', image())
        client.fresh('inputs', lambda values: values['image received'] != '0')
        callers = Callers(PROCESSES, CLIENTS)
        while len(rounds) < ROUNDS and effort.left_s > PATIENCE_S:
            statuses, last_s = callers.call()
            rounds.append({'statuses': dict(statuses), 'lost': statuses['lost'],
                           'seconds': round(last_s, 1)})
            print(rounds[-1], client.fresh('answers')['count service'], flush=True)
    finally:
        if callers:
            callers.close()
        client.close()
        node.stop()
    total = PROCESSES * CLIENTS
    fewest = min((total - each['lost'] for each in rounds), default=0)
    longest = max((each['seconds'] for each in rounds), default=0.0)
    return Outcome(
        f'{fewest} of {total} answered in the worst of {len(rounds)} rounds, the last of them '
        f'after {longest:.1f} s', bool(rounds) and fewest == total, {'rounds': rounds})


ROW = Row('simultaneous callers with default QoS, 20 processes',
          '200 of 200 answered, 10 rounds', measure)
