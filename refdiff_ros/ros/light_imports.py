"""Packages that libraries import when they find them, and that the node has no use for.

It is for a process of one's own: a library keeps in mind that it has not found a package.
"""

from collections.abc import Iterator
from contextlib import contextmanager
import sys
from types import ModuleType
from typing import Any

# Imported by torch, transformers, diffusers or spaCy where they are installed, and not needed by
# an answer: a compiler for GPUs, templates of chats, distributions of noise schedules.
UNUSED = ('triton', 'jinja2', 'scipy')
# spaCy imports its own command line, and that jinja2, to have `spacy.info`.
_STAND_INS = {'spacy.cli': 'info', 'spacy.cli.info': 'info'}


@contextmanager
def without_unused() -> Iterator[None]:
    """Inside, unused packages are not found; those that are imported already stay."""
    # None is Python's own mark of a module that must not be imported.
    modules: dict[str, Any] = dict.fromkeys(UNUSED)
    modules.update((name, _stand_in(name, value)) for name, value in _STAND_INS.items())
    hidden = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name, module in hidden.items():
            if sys.modules.get(name, name) is module:
                del sys.modules[name]


def _stand_in(name: str, value: str) -> ModuleType:
    module = ModuleType(name)
    setattr(module, value, None)
    return module
