#!/usr/bin/env bash
# Runs the tests with coverage, and prints the ten least covered files; `make coverage` calls it.
# Arguments go to pytest. Processes that the tests start are counted too.
set -euo pipefail
cd "$(dirname "$0")/.."
export COVERAGE_PROCESS_START=$PWD/pyproject.toml COVERAGE_FILE=$PWD/out/coverage/data
rm -rf out/coverage
mkdir -p out/coverage
status=0
python3 -m pytest -q -n 3 --dist loadfile --cov --cov-report= "$@" </dev/null || status=$?
# What processes left that ended after pytest had put its own together.
find out/coverage -name 'data.*' -print -quit | grep -q . &&
  python3 -m coverage combine -q --append out/coverage
echo 'The ten least covered files:'
python3 -m coverage report --format=text --sort=cover | awk 'NR < 3 || n++ < 10'
python3 -m coverage report --format=total | sed 's/^/All files: /; s/$/ %/'
exit "$status"
