"""Which model is on the device: one at a time, where memory is short."""

from collections.abc import Mapping, Sequence

import torch

# What goes to the device together, by the names of `memory.modules`.
GROUPS = {'diffusion': ('vae', 'unet', 'text_encoder'), 'clip': ('clip',), 'sam': ('sam',)}


class Residency:
    """Moves groups of models between the host and the device.

    All start on the host. A group goes to the device when it is needed, and the one that was
    there goes back first, so that the device never holds two.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[torch.nn.Module]],
        device: torch.device,
        home: torch.device | str = 'cpu',
    ):
        self._groups = groups
        self._device = device
        self._home = torch.device(home)
        self._resident: str | None = None

    @property
    def resident(self) -> str | None:
        """Name of the group on the device."""
        return self._resident

    def need(self, name: str) -> None:
        """Have the group `name` on the device."""
        if name == self._resident:
            return
        if self._resident is not None:
            self._move(self._resident, self._home)
            self._resident = None
        self._move(name, self._device)
        self._resident = name

    def _move(self, name: str, place: torch.device) -> None:
        for module in self._groups[name]:
            # diffusers' own `to` warns of a number format that stays what it is.
            torch.nn.Module.to(module, place)
