#!/usr/bin/env bash
# Runs the standalone runtime with the actors of this folder; arguments go to `greenroom start`. What its workers have is kept in the folder
# .greenroom, unless `--store memory` or GREENROOM_STORE says otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh

require_node
install .
build
export GREENROOM_STORE=${GREENROOM_STORE:-lmdb}
exec node --enable-source-maps dist/lib/cli.js start --actors dist/actors "$@"
