#!/usr/bin/env bash
# Minutes of mixed load with real faults, and a look at what is left: `./scripts/soak.sh [--minutes 10] [--seed S] [--store memory|lmdb]
# [--chart FILE]`; the rest is in test/soak/drive.ts.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh

require_node
install .
build
exec node --enable-source-maps dist/test/soak/drive.js "$@"
