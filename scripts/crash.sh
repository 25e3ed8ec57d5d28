#!/usr/bin/env bash
# The proof that nothing acknowledged is lost: load, `kill -9`, restart, and a checker that knows only what was acknowledged.
# `./scripts/crash.sh [--cycles N] [--minutes M] [--seed S]`, 100 cycles unless it is told otherwise; the rest is in test/crash/drive.ts.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh

require_node
install .
build
exec node --enable-source-maps dist/test/crash/drive.js "$@"
