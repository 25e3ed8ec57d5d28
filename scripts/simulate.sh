#!/usr/bin/env bash
# Many simulated runs of the runtime with random commands and faults, each checked: `./scripts/simulate.sh --seeds 1000 --steps 1000`, one
# seed of 1,000 steps unless it is told otherwise; `--seed N` runs one again. See docs/testing.md.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh

require_node
install .
build
exec node --enable-source-maps dist/scripts/simulate.js "$@"
