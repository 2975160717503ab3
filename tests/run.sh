#!/usr/bin/env bash
# Installs what the tests need and runs all of them, cheapest first. The README's second command.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_INCREMENTAL=0
# Here nothing is skipped: a test that lacks what it needs fails.
export STEAD_TEST_ALL=1
# Random rules whose SQL is compared with memory; a nightly run asks for 2000000.
export STEAD_CASES=${STEAD_CASES:-20000}
passed=0

step() {
  local name=$1
  shift
  local start=$SECONDS
  printf '\n=== %s\n' "$name"
  "$@"
  passed=$((passed + 1))
  printf '=== %s: ok (%s s)\n' "$name" "$((SECONDS - start))"
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Debian and its children; elsewhere the tools must be there already.
install_tools() {
  local missing=()
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
  command -v c++ >/dev/null || missing+=(g++)
  command -v chromium >/dev/null || missing+=(chromium)
  command -v node >/dev/null || missing+=(nodejs npm)
  command -v python3 >/dev/null || missing+=(python3)
  command -v haproxy >/dev/null || missing+=(haproxy)
  command -v openssl >/dev/null || missing+=(openssl)
  command -v sqlite3 >/dev/null || missing+=(sqlite3)
  if [ ${#missing[@]} -gt 0 ]; then
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  fi
  (cd sdk-client/typescript && npm ci --no-audit --no-fund --silent)
  (cd tests/browser && npm ci --no-audit --no-fund --silent)
  (cd tests/parts && npm ci --no-audit --no-fund --silent)
}

target_dir() { cargo metadata --no-deps --format-version 1 | node -e 'process.stdin.resume();let s="";process.stdin.on("data",d=>s+=d).on("end",()=>console.log(JSON.parse(s).target_directory))'; }

# A Postgres for this run alone, a PgBouncer before it, and a Postgres that wants encryption; their addresses are what the
# tests look for.
postgres() {
  postgres_dir=$(mktemp -u -d)
  trap 'bash tests/pgbouncer.sh stop "$postgres_dir.pgbouncer"
    bash tests/postgres.sh stop "$postgres_dir.tls"
    bash tests/postgres.sh stop "$postgres_dir"' EXIT
  STEAD_TEST_POSTGRES=$(bash tests/postgres.sh start "$postgres_dir")
  STEAD_TEST_PGBOUNCER=$(bash tests/pgbouncer.sh start "$postgres_dir.pgbouncer" "$postgres_dir")
  STEAD_TEST_POSTGRES_TLS=$(bash tests/postgres.sh start-tls "$postgres_dir.tls")
  export STEAD_TEST_POSTGRES STEAD_TEST_PGBOUNCER STEAD_TEST_POSTGRES_TLS
}

# Runs something whose server uses an empty database of that Postgres.
on_postgres() {
  psql "$STEAD_TEST_POSTGRES" -qc 'DROP DATABASE IF EXISTS stead_browser' -c 'CREATE DATABASE stead_browser'
  STEAD_DATABASE=${STEAD_TEST_POSTGRES/\/postgres/\/stead_browser} "$@"
}

sdk() {
  cd sdk-client/typescript
  npm run --silent check
  npm test --silent
  cmp dist/stead.js ../../server/http/assets/stead.js || {
    echo 'server/http/assets/stead.js is not the bundle of this SDK: run `npm run bundle` in sdk-client/typescript'
    return 1
  }
}

examples() {
  local app
  for app in examples/*; do
    echo "$app"
    "$STEAD_BIN" check --deny-warnings "$app"
    "$STEAD_BIN" test "$app" --fail-under 100
  done
  "$STEAD_BIN" fmt examples/team-chat --check
  "$STEAD_BIN" types examples/team-chat --lang ts | cmp - examples/team-chat/types.ts
}

contracts() {
  "$STEAD_BIN" contract schemas --check schemas
}

step 'tools'                    install_tools
step 'format'                   cargo fmt --all --check
step 'lints'                    cargo clippy --workspace --all-targets --locked -- -D warnings
step 'build'                    cargo build --locked -p stead
STEAD_BIN="$(target_dir)/debug/stead"
export STEAD_BIN
step 'Postgres'                 postgres
step 'rooms: unit and property tests' cargo test --workspace --locked --exclude stead-e2e
step 'another CEL parser agrees' cargo test --locked --manifest-path tests/language/Cargo.toml --target-dir "$(target_dir)"
step 'fuzz, 30 s each'          env CARGO_TARGET_DIR="$(target_dir)" tests/fuzz/run.sh 30
step 'examples'                 examples
step 'contracts'                contracts
step 'TypeScript SDK'           bash -c "$(declare -f sdk); sdk"
step 'end to end'               cargo test --locked -p stead-e2e --test all
step 'store, on Postgres'       env STEAD_TEST_DATABASE=postgres cargo test --locked -p stead-store --test store
step 'end to end, on Postgres'  env STEAD_TEST_DATABASE=postgres cargo test --locked -p stead-e2e --test all
step 'end to end, two nodes behind a balancer' env STEAD_TEST_DATABASE=postgres STEAD_TEST_NODES=2 cargo test --locked -p stead-e2e --test all
step 'store, through PgBouncer' env STEAD_TEST_DATABASE=pgbouncer cargo test --locked -p stead-store --test store
step 'end to end, through PgBouncer' env STEAD_TEST_DATABASE=pgbouncer cargo test --locked -p stead-e2e --test all -- nodes:: chat:: records:: realtime::
step 'faults, on Postgres'      cargo test --locked -p stead-e2e --test faults
step 'README'                  node tests/readme.mjs
step 'browser journey'          node tests/browser/journey.mjs
step 'browser journey, sign-in'  node tests/browser/sign-in.mjs
step 'browser journey, cookies'  node tests/browser/cookies.mjs
step 'browser journey, on Postgres' on_postgres node tests/browser/journey.mjs
step 'browser journey, sign-in, on Postgres' on_postgres node tests/browser/sign-in.mjs
step 'browser journey, two servers on Postgres' node tests/browser/nodes.mjs
step 'documentation'            node tests/docs.mjs
step 'snippets of the book'     node tests/snippets.mjs

printf '\n%s passed, 0 failed\n' "$passed"
