"""The errors that this package raises on purpose: one base, few subclasses.

Each message says what was expected, what came, and what to do about it.
"""

from collections.abc import Callable
import logging
from typing import TypeVar

_LOG = logging.getLogger(__name__)
Result = TypeVar('Result')


class RefDiffError(Exception):
    """Base of every error that the package raises on purpose."""


class BadRequestError(RefDiffError, ValueError):
    """The caller's image, expression, depth, camera or setting cannot be used."""


class BundleError(RefDiffError):
    """A model bundle is missing, incomplete, altered, or not of a supported layout."""


class DownloadError(BundleError):
    """A file of a bundle could not be downloaded whole from the hub."""


class MissingPackageError(RefDiffError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


class OutOfMemoryError(RefDiffError):
    """The device had no memory left, also after caches were freed and batches made smaller."""


def require(value: Result | None, what: str) -> Result:
    """`value`, where there is one; `what` it is ends up in the message.

    Raises:
        RefDiffError: it is None.
    """
    if value is None:
        raise RefDiffError(f'expected {what}, got none: this is a fault of the program; report it')
    return value


def attempt(ask: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    """What `ask` returns, or the error that it raises: one bad case must not end a run of hours.

    Raises:
        MissingPackageError: every case would meet it.
    """
    try:
        return ask(), None
    except MissingPackageError:
        raise
    except RefDiffError as error:
        return None, error
    except Exception as error:  # a fault of this package, counted as such
        _LOG.exception('unexpected error; the run goes on')
        return None, error


def error_text(error: Exception) -> str:
    """An error as a sentence."""
    if isinstance(error, RefDiffError):
        return str(error)
    return f'unexpected {type(error).__name__}: {error}'
