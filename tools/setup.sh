#!/usr/bin/env bash
# Virtual environment with pinned packages, then the colcon build; each only where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
distro=${ROS_DISTRO:-kilted}
python=$(tools/preflight.sh)
suffix=$([ "$distro" = kilted ] || echo "-$distro")
venv=$PWD/.venv$suffix
pins=(requirements/base.txt "requirements/$distro.txt")
exec 8>".setup$suffix.lock"
flock 8

# The stamp is written last: an interrupted set-up has none and is taken up again.
wanted=$(cat "${pins[@]}" tools/repair_ros_wheels.py | sha256sum)
if [ "$(cat "$venv/.complete" 2>/dev/null)" != "$wanted" ]; then
  rm -f "$venv/.complete"
  echo "setup: installing pinned packages into $venv (once, several GB)"
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps \
    -r "${pins[0]}" -r "${pins[1]}" </dev/null
  "$venv/bin/python" tools/repair_ros_wheels.py
  echo "$wanted" >"$venv/.complete"
fi

# Names count, not only contents: --symlink-install must see each new file.
inputs=$({ echo "$wanted"; cat CMakeLists.txt package.xml msg/* srv/*
  { find refdiff_ros scripts launch config bundles -type f ! -path '*/.*' ! -name '*.pyc' 2>/dev/null || true; } | sort
} | sha256sum)
stamp=build$suffix/.inputs
if [ "$(cat "$stamp" 2>/dev/null)" != "$inputs" ] || [ ! -d "install$suffix/refdiff_ros" ]; then
  tools/build.sh
  echo "$inputs" >"$stamp"
fi
