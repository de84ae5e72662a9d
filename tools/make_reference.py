"""Write docs/reference.md: every parameter, topic, service and message in one page.

    . tools/env.sh && python tools/make_reference.py

A test fails when the page is not what this writes.
"""

from collections.abc import Iterable
from pathlib import Path

from refdiff_ros.follow.ros.server import PARAMETERS as FOLLOW_PARAMETERS
from refdiff_ros.pick.ros.parameters import LISTS, NUMBERS
from refdiff_ros.ros import topics
from refdiff_ros.ros.parameters import PARAMETERS, ParameterSpec
from refdiff_ros.sim.camera_node import PARAMETERS as CAMERA_PARAMETERS
from refdiff_ros.sim.gripper_node import PARAMETERS as GRIPPER_PARAMETERS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'reference.md'
_KINDS = {'in': 'subscribed', 'out': 'published', 'service': 'service', 'action': 'action',
          'client': 'calls'}


def reference() -> str:
    """The page."""
    parts = [
        '<!-- Written by tools/make_reference.py: change the tables in the code and run it. -->',
        '# Reference',
        '[The node](#the-node) · [The pick server](#the-pick-server) · '
        '[The node that follows](#the-node-that-follows) · '
        '[The simulated camera](#the-simulated-camera) · [Messages](#messages). For a first '
        'robot: [first_robot.md](first_robot.md); when something is wrong: '
        '[troubleshooting.md](troubleshooting.md).',
        '## The node', '### Topics and services',
        'Relative names (`image`) are remapped, `~/` is the name of the node, by default '
        '`/refdiff/`.', _topics((*topics.NODE, *topics.OPTIONAL)), '### Parameters', _when(),
        _parameters(PARAMETERS),
        '## The pick server', '### What it publishes, hears and serves', '`refdiff pick-server`.',
        _topics(topics.PICK_SERVER), '### What may be set on it', _parameters(NUMBERS),
        'And lists:', _table(('name', 'default', 'when', 'what'), (
            (f'`{spec.name}`', f'`{spec.default}`', 'start' if spec.read_only else 'any',
             spec.text) for spec in LISTS)),
        '## The node that follows', '### Its topics, services and actions',
        '`refdiff follow-server`.', _topics(topics.FOLLOW_SERVER), '### Its parameters',
        'Those of the pick server, and:', _parameters(FOLLOW_PARAMETERS),
        '## The simulated camera', '### Its topics and services',
        '`refdiff camera`; `sim.launch.py` puts it under `/camera`.', _topics(topics.CAMERA),
        '### Its parameters', _parameters(CAMERA_PARAMETERS),
        'The simulated gripper (`tabletop_gripper`) has the same camera and answers to the topics '
        'of the pick server. Its parameters:', _parameters(GRIPPER_PARAMETERS),
        '## Messages', *_messages(),
    ]
    return '\n\n'.join(parts) + '\n'


def _when() -> str:
    return ('`start`: read once. `configure`, `activate`: counts from the next such transition '
            'of the lifecycle. `any`: may be set while the node runs (`ros2 param set`) and '
            'counts from the next answer.')


def _topics(rows: Iterable[topics.TopicSpec]) -> str:
    return _table(('name', 'way', 'type', 'what'), (
        (f'`{row.name}`', _KINDS[row.kind], f'`{row.type}`', row.text) for row in rows))


def _parameters(specs: Iterable[ParameterSpec]) -> str:
    return _table(('name', 'type', 'default', 'values', 'when', 'what'), (
        (f'`{spec.name}`', type(spec.default).__name__, f'`{_default(spec)}`', _values(spec),
         spec.when, spec.text) for spec in specs))


def _default(spec: ParameterSpec) -> str:
    if isinstance(spec.default, bool):
        return str(spec.default).lower()
    return repr(spec.default)


def _values(spec: ParameterSpec) -> str:
    if spec.choices:
        return ', '.join(f'`{choice}`' for choice in spec.choices)
    if spec.low is None:
        return 'true or false' if isinstance(spec.default, bool) else 'any'
    if isinstance(spec.default, int):
        return f'{spec.low} to {spec.high}'
    return f'{spec.low:g} to {spec.high:g}'


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ('---',) * len(heads), *rows]
    return '\n'.join('| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |'
                     for line in lines)


def _messages() -> list[str]:
    found = []
    for path in (path for kind in ('msg', 'srv', 'action')
                 for path in sorted((ROOT / kind).glob(f'*.{kind}'))):
        found += [f'### refdiff_ros/{path.parent.name}/{path.stem}',
                  f'```\n{path.read_text().strip()}\n```']
    return found


if __name__ == '__main__':
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(reference())
    print(f'wrote {PAGE}')
