"""Pickles that hold data and nothing else.

A pickle is a program: it may name any function and have it called. The references of RefCOCO and
its kin come as pickles of lists, dicts, strings and numbers, so nothing else is admitted.
"""

from pathlib import Path
import pickle
from typing import Any, NoReturn

from refdiff_ros.errors import BadRequestError

# What damaged or hostile bytes make the unpickler raise.
_DAMAGED = (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError,
            OverflowError, MemoryError, RecursionError)


class _RefusedError(pickle.UnpicklingError):
    pass


class _PlainUnpickler(pickle.Unpickler):
    """Knows the types that have opcodes of their own; everything else goes through a name."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _RefusedError(f'{module}.{name}')

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _RefusedError(f'the outside object {pid!r:.60}')


def read_plain_pickle(path: Path) -> Any:
    """The content of a pickle of plain containers, strings, numbers and None.

    Files that Python 2 wrote are read as well; their byte strings come as text.

    Raises:
        BadRequestError: the file is missing, damaged, or names anything that is no plain data;
            nothing of what it names is imported or called.
    """
    try:
        with path.open('rb') as file:
            return _PlainUnpickler(file, encoding='utf-8').load()
    except OSError as error:
        raise BadRequestError(f'expected a pickle at {path}, got: {error}') from error
    except _RefusedError as error:
        raise BadRequestError(
            f'expected plain containers, strings and numbers alone in {path}, got {error}: it is '
            'not the published file and could run code, so it was not loaded') from error
    except _DAMAGED as error:
        raise BadRequestError(
            f'expected a whole pickle at {path}, got {type(error).__name__}: {error}: get the '
            'file again') from error
