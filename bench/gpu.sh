#!/usr/bin/env bash
# Measures the paper's true sizes, with random weights, on a machine with a CUDA device.
#
#   bench/gpu.sh [OUT]              results go to the folder OUT (default out/gpu)
#
# The machine needs torch, torchvision, transformers, Pillow, PyYAML and OpenCV, and no network.
# What it lacks of diffusers and segment-anything can come as wheels; elsewhere:
#
#   pip download --no-deps -d wheels diffusers segment-anything
#
# and there WHEELS=wheels bench/gpu.sh. PYTHON names another interpreter. SCALE=1 also measures how
# cost grows. SIZE=mini DEVICE=cpu tries the script itself. Each part is written as it is measured,
# so that a run that is cut loses nothing.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-out/gpu}
python=${PYTHON:-python3}
mkdir -p "$out"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
if [ -n "${WHEELS:-}" ]; then
  site=$(mktemp -d)
  trap 'rm -rf "$site"' EXIT
  "$python" -m pip install -q --no-index --no-deps --target "$site" "$WHEELS"/*.whl
  export PYTHONPATH="$site:$PYTHONPATH"
fi
names='torch torchvision transformers diffusers segment_anything PIL yaml cv2'
missing=$("$python" -c "
import importlib
for name in '$names'.split():
    try:
        importlib.import_module(name)
    except Exception:
        print(name)" 2>/dev/null) || missing=$names
if [ -n "$missing" ]; then
  echo "bench/gpu.sh: expected these Python modules, which cannot be imported:" $missing >&2
  exit 2
fi
status=0
bench() {
  local name=$1
  shift
  echo "== $name: refdiff bench $*"
  "$python" -m refdiff_ros.cli bench --size "${SIZE:-full}" --device "${DEVICE:-cuda}" \
    --json "$out/$name.json" "$@" 2>&1 | tee "$out/$name.txt" || status=1
}
# Whether the answers agree is asked in float32, where nothing is rounded across a threshold.
bench agreement --dtype fp32 --segmentor vit_h --preset released --baseline fused --repeats 1 \
  --expressions 1 --frames 0
# The bundles sd15_vit_h, sd15_vit_b and sd15_sam2_tiny beside each other.
bench bundles --dtype bf16 --segmentor vit_h vit_b sam2_tiny --preset onboard --baseline none \
  --repeats 3 --expressions 5 --frames 10
bench compiled --dtype bf16 --segmentor vit_h vit_b --preset onboard --baseline none --compile \
  --repeats 3 --expressions 1 --frames 10
bench bf16 --dtype bf16 --segmentor vit_h --repeats 3 --expressions 5 --frames 10
if [ -n "${SCALE:-}" ]; then
  bench scale --dtype bf16 --segmentor vit_h --baseline fused --repeats 1 --expressions 1 \
    --frames 0 --scale
fi
if "$python" -c 'import pytest' 2>/dev/null; then
  echo '== tests of the device'
  (cd "$root" && "$python" -m pytest -q --noconftest -p no:cacheprovider \
    test/benchmark/test_cuda.py) 2>&1 | tee "$out/tests.txt" || status=1
fi
exit $status
