#!/usr/bin/env bash
# Runs a command in the environment that `make setup` made: tools/in_env.sh COMMAND [ARG ...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
exec "$@"
