#!/usr/bin/env bash
# Trains the bundle `tabletop_wide`, for the twenty kinds of things of the world `tabletop20`, from
# scenes to calibration.
#
#   training/wide_bundle.sh [OUT]      all files go to the folder OUT (default out/wide)
#
# Begins with `tabletop_mini`, and CLIP from scratch; with BEGIN=tabletop_wide it goes on from that
# bundle, CLIP too. Every part goes on where it was stopped when the same command is given again. On
# a CUDA device the three trainings run side by side, else one after the other: some ten hours.
# The bundle is in OUT/bundle in the end.
#
# Of each part, from the environment: SCENES, VAL (how many are rendered), REGIONS (scenes whose
# proposals CLIP learns from), CLIP_STEPS, SAM_STEPS, UNET_STEPS, ASKED (expressions of each set and
# half for the calibration), WORKERS (that render), PYTHON. A small run tries the script itself:
#
#   SCENES=128 VAL=64 REGIONS=8 CLIP_STEPS=4 SAM_STEPS=3 UNET_STEPS=3 ASKED=8 \
#     training/wide_bundle.sh out/try
set -euo pipefail
out=$(realpath -m "${1:-out/wide}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
python=${PYTHON:-python3}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
workers=${WORKERS:-$(nproc)}
# libc keeps what a step frees: else the system gives and clears the same pages again and again,
# which took a quarter of a step of the segmentor.
export MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184

# part NAME ARGUMENTS...: its output goes to OUT/NAME.log; what is done already is not done again.
part() {
  local name=$1 log=$out/$1.log
  shift
  [ ! -e "$out/$name.done" ] || return 0
  echo "$(date +%T) $name: $log"
  if ! "$python" -m "training.tabletop.$@" >> "$log" 2>&1; then
    echo "training/wide_bundle.sh: $name failed; its last lines:" >&2
    tail -n 15 "$log" >&2
    return 1
  fi
  touch "$out/$name.done"
}

part scenes scenes --split tabletop20_train --out "$out/train" --count "${SCENES:-8000}" \
  --workers "$workers" --greys
# Those before are asked when decisions are fitted.
part val_scenes scenes --split tabletop20_val --out "$out/val" --count "${VAL:-192}" --first 654 \
  --workers "$workers"
begin=${BEGIN:-tabletop_mini}
part start start --bundle "$begin" --out "$out/start"
clip_init=()
if [ "$begin" != tabletop_mini ]; then clip_init=(--init "$out/start/clip/start.pt"); fi
part latents latents --scenes "$out/train" --vae "$out/start/vae/vae.pt"
# Masks that show no object, for CLIP: those of the segmentor that it begins with.
part regions regions --bundle "$begin" --scenes "$out/train" --count "${REGIONS:-900}"

trainings() {
  "$1" clip clip --scenes "$out/train" --val "$out/val" --out "$out/clip" \
    --side 64 --steps "${CLIP_STEPS:-24000}" --false 32 "${clip_init[@]}"
  "$1" sam sam --init "$out/start/sam/start.pt" --scenes "$out/train" --val "$out/val" \
    --out "$out/sam" --size wide --batch 5 --prompts 8 --rate 6e-4 --steps "${SAM_STEPS:-9000}"
  "$1" unet unet --init "$out/start/unet/start.pt" --vae "$out/start/vae/vae.pt" \
    --scenes "$out/train" --val "$out/val" --out "$out/unet" --rate 1e-3 \
    --steps "${UNET_STEPS:-8000}"
}
beside() { part "$@" & }
if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  trainings beside
  failed=0
  for job in $(jobs -p); do wait "$job" || failed=1; done
  [ "$failed" = 0 ] || exit 1
else
  trainings part
fi

mkdir -p "$out/vae"
cp "$out/start/vae/vae.pt" "$out/vae/"
part ship ship --from "$out" --name tabletop_wide --out "$out/bundle"
part calibrate calibrate --bundle "$out/bundle" --split tabletop20_val \
  --limit "${ASKED:-300}" --cache "$out/answers.npz" --decide likeliest --into "$out/bundle"
echo "$(date +%T) the bundle: $out/bundle"
