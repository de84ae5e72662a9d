#!/usr/bin/env bash
# Virtual environment with pinned packages, then the colcon build; each only where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
distro=${ROS_DISTRO:-kilted}
python=$(tools/preflight.sh)
suffix=$([ "$distro" = kilted ] || echo "-$distro")
venv=$PWD/.venv$suffix
pins=(requirements/{build,models,parser,sim,ros,web,datasets,ray,dev,"$distro"}.txt)
if command -v flock >/dev/null; then
  exec 8>".setup$suffix.lock"
  flock 8
fi

# The stamp is written last: an interrupted set-up has none.
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
wanted=$({ echo "$version $PWD"; cat "${pins[@]}" tools/repair_ros_wheels.py; } | sha256sum)
if [ "$(cat "$venv/.complete" 2>/dev/null)" != "$wanted" ]; then
  rm -f "$venv/.complete"
  echo "setup: installing pinned packages into $venv (once, several GB; pip is quiet for minutes)"
  # Made anew: of another Python, moved (programs name their environment's folder), or left by an
  # interrupted pip, which takes a package of which half the files are there for installed.
  if [ ! -d "$venv/lib/python$version" ] || ! grep -qsF "$venv/" "$venv/bin/pip" ||
      [ -f "$venv/.installing" ]; then
    base=$("$python" -c 'import sys; print(sys._base_executable)')
    "$base" -m venv --clear "$venv"
    rm -rf "build$suffix" "install$suffix"
  fi
  # pip unpacks gigabytes; the machine's own folder for that may be small.
  touch "$venv/.installing"
  mkdir -p "$venv/tmp"
  install() {
    TMPDIR=$venv/tmp "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps \
      --require-hashes "$@" </dev/null
  }
  # What builds comes first: pip would fetch it without a hash for what comes as source.
  install --requirement=requirements/build.txt
  install --no-build-isolation "${pins[@]/#/--requirement=}"
  rm -rf "$venv/tmp" "$venv/.installing"
  "$venv/bin/python" tools/repair_ros_wheels.py
  echo "$wanted" >"$venv/.complete"
fi

# Names count, not only contents: --symlink-install must see each new file.
inputs=$({ echo "$wanted"; cat CMakeLists.txt package.xml action/* msg/* srv/*
  { find refdiff_ros scripts launch config bundles -type f ! -path '*/.*' ! -name '*.pyc' \
    2>/dev/null || true; } | sort
} | sha256sum)
stamp=build$suffix/.inputs
if [ "$(cat "$stamp" 2>/dev/null)" != "$inputs" ] || [ ! -d "install$suffix/refdiff_ros" ]; then
  echo 'setup: building the workspace'
  rm -f "$stamp"
  tools/build.sh
  echo "$inputs" >"$stamp"
fi
