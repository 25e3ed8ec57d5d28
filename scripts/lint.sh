#!/usr/bin/env bash
# ESLint and Prettier over the whole project; `--fix` repairs what can be repaired.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh

require_node
install . # the type-aware rules read the types of the dependencies
install scripts/lint

eslint=(node scripts/lint/node_modules/eslint/bin/eslint.js --config scripts/lint/eslint.config.js --max-warnings 0)
prettier=(node scripts/lint/node_modules/prettier/bin/prettier.cjs --log-level warn)

if [[ ${1:-} == --fix ]]; then
  "${eslint[@]}" --fix .
  "${prettier[@]}" --write .
else
  "${eslint[@]}" .
  "${prettier[@]}" --check .
fi
