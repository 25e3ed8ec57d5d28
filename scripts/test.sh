#!/usr/bin/env bash
# Build, lint, test. Arguments narrow the test files: `./scripts/test.sh mailbox` runs those with "mailbox" in their path.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh

file_timeout_ms=120000

require_node
require_openssl
install .
build
./scripts/lint.sh >&2

files=()
while read -r file; do
  for part in "${@:-}"; do
    [[ ${file#dist/test/} == *"$part"* ]] && files+=("$file") && break
  done
done < <(find dist/test -name '*.test.js' | sort)
((${#files[@]} > 0)) || fail "no test file matches: $*"

exec node --enable-source-maps --test --test-reporter=spec --test-concurrency=2 \
  --test-timeout="$file_timeout_ms" "${files[@]}"
