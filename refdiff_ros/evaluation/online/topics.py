"""The topics of an answer bag, and what this package's messages look like to any reader."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from typing import Any

from refdiff_ros.console import from_json
from refdiff_ros.errors import BadRequestError
from refdiff_ros.optional import require_package

MASK = '/refdiff/mask'
GRASP = '/refdiff/grasp_region'
DIAGNOSTICS = '/diagnostics'
EXPRESSION = '/expression'
# Each picture as it was sent, a `PlayedFrame` as JSON; recorded at the moment of sending.
FRAME = '/refdiff_evaluation/frame'

TYPES: Mapping[str, str] = {
    MASK: 'refdiff_ros/msg/ReferringMask', GRASP: 'refdiff_ros/msg/GraspRegion',
    DIAGNOSTICS: 'diagnostic_msgs/msg/DiagnosticArray', EXPRESSION: 'std_msgs/msg/String',
    FRAME: 'std_msgs/msg/String'}


@dataclass(frozen=True)
class PlayedFrame:
    """A picture that was sent to the node.

    Attributes:
        stamp_ns: of its header.
        topic: its name in the bag that was played.
        play: which time the bag was played, counted from 1.
        expression: what stood when it was sent.
        late_ms: how much later it was sent than the bag says.
    """

    stamp_ns: int
    topic: str
    play: int
    expression: str
    late_ms: float

    def as_text(self) -> str:
        """The JSON that `FRAME` carries."""
        return json.dumps(asdict(self), ensure_ascii=False)


def parse_frame(text: str) -> PlayedFrame:
    """The picture in the JSON that `FRAME` carries.

    Raises:
        BadRequestError: it is none.
    """
    try:
        return PlayedFrame(**from_json(text))
    except (ValueError, TypeError) as error:
        raise BadRequestError(f'expected a picture that was played as JSON on {FRAME}, got '
                              f'{text[:80]!r}') from error


def message_store(folder: Path) -> Any:
    """A type store of `rosbags` that knows the standard messages and this package's.

    Args:
        folder: of this package's `.msg` files.

    Raises:
        MissingPackageError: `rosbags` is not installed.
    """
    typesys = require_package('rosbags.typesys', 'bags')
    store = typesys.get_typestore(typesys.Stores.LATEST)
    found: dict[str, Any] = {}
    for path in sorted(folder.glob('*.msg')):
        found.update(typesys.get_types_from_msg(
            path.read_text(encoding='utf-8'), f'refdiff_ros/msg/{path.stem}'))
    store.register(found)
    return store
