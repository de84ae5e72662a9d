"""The errors that this package raises on purpose: one base, few subclasses.

Each message says what was expected, what came, and what to do about it.
"""


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
