#!/usr/bin/env bash
# Runs the standalone runtime with the actors of this folder; arguments go to `greenroom start`.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh

require_node
install .
build
exec node --enable-source-maps dist/lib/cli.js start --actors dist/actors "$@"
