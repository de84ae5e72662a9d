"""What a process has loaded to answer with."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from refdiff_ros.errors import BadRequestError


@dataclass(frozen=True)
class Loaded:
    """What a process has loaded, as far as its answers depend on it.

    Attributes:
        bundle, trained, notice: of the models.
        weights_sha256: as from `weights_sha256`.
        values: what the preset, the bundle's tuned values and the overrides come to.
        device, dtype: kind of device ('cpu', 'cuda') and type of number.
        torch: its version.
    """

    bundle: str
    trained: bool
    notice: str
    weights_sha256: str
    values: Mapping[str, Any]
    device: str
    dtype: str
    torch: str

    def require_same(self, others: 'Loaded') -> None:
        """Nothing, if this process has loaded what the others have.

        Raises:
            BadRequestError: it has not; says what differs.
        """
        told = [f'{each.name} {getattr(self, each.name)!r:.60} in place of '
                f'{getattr(others, each.name)!r:.60}' for each in fields(self)
                if getattr(self, each.name) != getattr(others, each.name)]
        if told:
            raise BadRequestError('expected all processes of a run to load the same, got one with '
                                  f'{"; ".join(told)}: their answers would differ')
