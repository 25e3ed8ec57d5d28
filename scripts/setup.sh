# Sourced by the scripts beside it, from the project root: what has to be there before anything runs.
# Everything here speaks on stderr, because stdout belongs to the command that follows.

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

require_node() {
  local major
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || fail "needs Node.js 20 or newer, found none"
  ((major >= 20)) || fail "needs Node.js 20 or newer, found $(node --version)"
}

# install FOLDER: `npm ci`, unless npm's own record of the last install is newer than the lock file.
install() {
  [[ $1/package-lock.json -nt $1/node_modules/.package-lock.json ]] || return 0
  npm ci --prefix "$1" --no-audit --no-fund --loglevel=error >&2 || fail "npm ci failed in $1"
}

# The compiler leaves the output of a deleted source behind, where it would still be tested and served as an actor.
remove_stale_output() {
  [[ -d dist ]] || return 0
  local output source
  find dist -name '*.js' | while read -r output; do
    source=${output#dist/}
    [[ -e ${source%.js}.ts ]] || rm -f "${output%.js}".{js,js.map,d.ts}
  done
}

build() {
  remove_stale_output
  npm run --silent build >&2 || fail "the build failed"
}

# Makes the certificates that the tests of TLS use.
require_openssl() {
  command -v openssl >/dev/null && return
  ((EUID == 0)) && command -v apt-get >/dev/null &&
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends openssl; } >&2
  command -v openssl >/dev/null || fail "needs openssl for the tests of TLS"
}
