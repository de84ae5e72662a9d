"""Finding the baseline, which lies in a checkout's `bench/` and not in the package."""

import importlib
from pathlib import Path
import sys
from types import ModuleType

_PLACE = Path('bench', 'published_order', '__init__.py')


def load_published_order() -> ModuleType | None:
    """The package `published_order` of the checkout that this code lies in, or of the current
    folder; None where there is none, as in an install by pip."""
    for folder in (*Path(__file__).resolve().parents, Path.cwd()):
        if (folder / _PLACE).is_file():
            bench = str(folder / _PLACE.parts[0])
            if bench not in sys.path:
                sys.path.append(bench)
            return importlib.import_module('published_order')
    return None
