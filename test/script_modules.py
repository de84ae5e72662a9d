"""Programs of `tools/` and `bench/` as modules: they are no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).parents[1]


def load_script(path: str) -> ModuleType:
    """The module of a file such as 'tools/make_reference.py', executed anew."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, _ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
