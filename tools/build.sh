#!/usr/bin/env bash
# Build the workspace with colcon into build/, install/ (build-jazzy/, install-jazzy/ on Jazzy).
set -euo pipefail
cd "$(dirname "$0")/.."
distro=${ROS_DISTRO:-kilted}
suffix=$([ "$distro" = kilted ] || echo "-$distro")
venv=$PWD/.venv$suffix
if [ ! -x "$venv/bin/colcon" ]; then
  echo "build: expected colcon in $venv, found none: run 'make setup' first" >&2
  exit 1
fi
mkdir -p "build$suffix"
if command -v flock >/dev/null; then
  exec 9>"build$suffix/.lock"
  flock 9
fi
export VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH AMENT_PREFIX_PATH=$venv CMAKE_PREFIX_PATH=$venv
unset PYTHONPATH
# Else colcon has make wait until the machine has nothing else to do.
export MAKEFLAGS=${MAKEFLAGS:--j$(nproc)}
log=build$suffix/colcon.log
if ! colcon --log-base "log$suffix" build --symlink-install --packages-select refdiff_ros \
    --build-base "build$suffix" --install-base "install$suffix" \
    --cmake-args -DBUILD_TESTING=OFF "-DPython3_EXECUTABLE=$venv/bin/python" >"$log" 2>&1; then
  cat "$log" >&2
  echo "build: colcon failed; the whole log is in $log" >&2
  exit 1
fi
