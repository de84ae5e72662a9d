"""The one door through which optional packages come in."""

import importlib
from types import ModuleType

from refdiff_ros.errors import MissingPackageError


def require_package(name: str, extra: str) -> ModuleType:
    """Import `name`, or say which extra of this package brings it.

    Args:
        name: importable module name, dots allowed (`'segment_anything'`).
        extra: the extra in `setup.py` that installs it (`'models'`).

    Raises:
        MissingPackageError: the module is not installed. An error raised inside an installed
            module is passed on unchanged.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split('.')[0] != name.split('.')[0]:
            raise
        raise MissingPackageError(
            f"expected the package '{name}', which is not installed: "
            f"run 'pip install refdiff_ros[{extra}]'") from error


def require_ros(name: str) -> ModuleType:
    """Import a module of this package that needs ROS, or say how to come by that.

    Args:
        name: the module's full name.

    Raises:
        MissingPackageError: rclpy or this package's messages cannot be imported.
    """
    try:
        importlib.import_module('refdiff_ros.srv')
        importlib.import_module('rclpy')
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"expected ROS 2 and the built workspace, but '{error.name}' cannot be imported: run "
            "'make setup' and '. tools/env.sh', or source your ROS workspace") from error
    return importlib.import_module(name)
