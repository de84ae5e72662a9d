"""Faults injected as a stage of an answer begins (test/hanging_node.py)."""

from pathlib import Path
import re

HANGING = Path(__file__).resolve().parents[2] / 'test' / 'hanging_node.py'


def stages(client, node) -> list[str]:
    """The stages that an answer goes through, in their order."""
    count = len(node.lines)
    client.call('fault trace none', picture_message(0))
    names = re.findall(r'^stage (\w+)$', '\n'.join(node.lines[count:]), re.MULTILINE)
    return list(dict.fromkeys(names))


def picture_message(seed: int):
    """A picture of its own for each seed, so that nothing is kept of it."""
    from ros_graph import image, picture

    return image(picture(seed=1000 + seed))
