#!/bin/sh
# Says in one line what this machine lacks, before anything is downloaded. Prints the Python to use.
# PYTHON picks the interpreter, REFDIFF_MIN_FREE_GB the free space asked for where nothing is set up.
set -eu
cd "$(dirname "$0")/.."
fail() { echo "preflight: $*" >&2; exit 1; }

distro=${ROS_DISTRO:-kilted}
case $distro in
  kilted) venv=.venv ;;
  jazzy) venv=.venv-jazzy ;;
  *) fail "expected ROS_DISTRO=kilted or jazzy, got '$distro': set one of the two" ;;
esac

python=${PYTHON:-}
if [ -z "$python" ]; then
  if command -v python3.11 >/dev/null 2>&1; then python=python3.11; else python=python3; fi
fi
command -v "$python" >/dev/null 2>&1 ||
  fail "expected Python 3.11, found no '$python': install it and set PYTHON to its path"
version=$("$python" -c 'import platform, sys
print("%s %d.%d" % (platform.python_implementation(), sys.version_info[0], sys.version_info[1]))' \
  2>/dev/null) || fail "expected Python 3.11, '$python' does not run: set PYTHON to a CPython 3.11"
[ "$version" = 'CPython 3.11' ] ||
  fail "expected CPython 3.11, '$python' is $version: install python3.11 or set PYTHON to its path"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  fail "'$python' cannot make virtual environments: run 'apt-get install python3.11-venv'"

packages=
command -v cc >/dev/null 2>&1 && command -v c++ >/dev/null 2>&1 && command -v make >/dev/null 2>&1 ||
  packages="$packages build-essential"
command -v cmake >/dev/null 2>&1 || packages="$packages cmake"
[ -f "$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h" ] ||
  packages="$packages python3.11-dev"
if command -v ldconfig >/dev/null 2>&1; then libraries=$(ldconfig -p)
elif [ -x /sbin/ldconfig ]; then libraries=$(/sbin/ldconfig -p)
else libraries=; fi
# MuJoCo renders without a display through EGL, on the CPU where there is no GPU.
case $libraries in *libEGL.so.1*) ;; *) packages="$packages libegl1 libegl-mesa0 libgl1" ;; esac

if [ ! -f "$venv/.complete" ]; then
  wanted=${REFDIFF_MIN_FREE_GB:-10}
  free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
  [ "$free" -ge "$wanted" ] ||
    fail "expected $wanted GB free on this disk, found $free GB: free some space or clone elsewhere"
fi
if [ -n "$packages" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    fail "missing system packages: run 'sudo apt-get install -y$packages', then this command again"
  fi
  echo "preflight: installing$packages" >&2
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages; } >&2 ||
    fail "apt-get failed: run 'apt-get update && apt-get install -y$packages' and read its answer"
fi
echo "$python"
