"""Make the CMake files of the ROS wheels name this environment instead of their build host.

The wheels from PyPI export the include folders of the machine that built them
(`/opt/python/cp311-cp311/...`). This rewrites them to the running interpreter's own. Run it with
the environment's Python after every installation; a second run changes nothing.
"""

from pathlib import Path
import re
import sys
import sysconfig

import numpy

_BUILD_HOST = r'/opt/python/cp\d+-cp\d+'
# Longest first: the NumPy folder lies under the Python one.
_NUMPY_INCLUDE = re.compile(
    _BUILD_HOST + r'/lib/python3\.\d+/site-packages/numpy/_?core/include')
_PYTHON_INCLUDE = re.compile(_BUILD_HOST + r'/include/python3\.\d+')


def repair(text: str) -> str:
    """`text` with the build host's include folders replaced by this interpreter's."""
    text = _NUMPY_INCLUDE.sub(lambda _: numpy.get_include(), text)
    return _PYTHON_INCLUDE.sub(lambda _: sysconfig.get_paths()['include'], text)


def main() -> int:
    """Repair every CMake file under the environment's share folder."""
    changed = 0
    for path in sorted((Path(sys.prefix) / 'share').rglob('*.cmake')):
        before = path.read_text()
        after = repair(before)
        if after != before:
            path.write_text(after)
            changed += 1
        if re.search(_BUILD_HOST, after):
            print(f'repair_ros_wheels: expected no build host path left in {path}: the wheels '
                  'have changed, extend the patterns in this script', file=sys.stderr)
            return 1
    print(f'repair_ros_wheels: {changed} files changed')
    return 0


if __name__ == '__main__':
    sys.exit(main())
