"""The real bundle loaded, asked, freed, again and again: does anything stay?"""

from process_numbers import numbers
from row import Effort, Outcome, Row

CYCLES, FIRST = 100, 10
MOST_GROWTH = 0.02


def measure(effort: Effort) -> Outcome:
    """Cycles of configure, activate, one answer, deactivate, cleanup."""
    from ros_graph import GraphClient, image, NodeProcess, picture

    node = NodeProcess({'bundle': 'tabletop_mini', 'autostart': False})
    client = GraphClient()
    loaded: list[dict] = []
    failed = 0
    longest_s = 0.0
    try:
        while len(loaded) < CYCLES and effort.left_s > 1.5 * longest_s:
            began_s = effort.spent_s
            steps = [client.transition('configure'), client.transition('activate'),
                     client.call('the red box', image(picture(seed=len(loaded)))).status <= 3]
            loaded.append(numbers(node.pid) | {'cycle': len(loaded) + 1})
            steps += [client.transition('deactivate'), client.transition('cleanup')]
            loaded[-1]['freed_mb'] = numbers(node.pid)['anonymous_mb']
            failed += not all(steps)
            longest_s = max(longest_s, effort.spent_s - began_s)
            print(loaded[-1], flush=True)
    finally:
        client.close()
        ended = node.stop()
    return _outcome(loaded, failed, ended)


def _outcome(loaded: list[dict], failed: int, ended: int) -> Outcome:
    first = min(FIRST, max(1, len(loaded) // 3)) - 1
    rows = loaded[first:]
    figures = []
    grown = 0.0
    for key, what in (('anonymous_mb', 'loaded'), ('freed_mb', 'freed')):
        before, after = rows[0][key], rows[-1][key]
        grown = max(grown, after / before - 1)
        figures.append(f'{what} {before:.0f} to {after:.0f} MB ({after / before - 1:+.1%})')
    return Outcome(
        f'{len(loaded)} cycles, {failed} failed; anonymous memory from cycle {first + 1} to '
        f'{len(loaded)}: {", ".join(figures)}',
        not failed and ended == 0 and grown < MOST_GROWTH, {'cycles': loaded})


ROW = Row('lifecycle with the real bundle loaded and freed',
          '100 cycles, memory + < 2 % between the 10th and the 100th', measure)
