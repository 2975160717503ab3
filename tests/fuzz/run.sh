#!/usr/bin/env bash
# Throws damaged inputs at everything that reads a stranger's text, SECONDS for each target, two at a time. Fails when one
# panics, hangs, takes too much memory or runs off a small stack; the input is then kept under tests/fuzz/findings/.
#
#   tests/fuzz/run.sh SECONDS [TARGET…]
#
# CARGO_TARGET_DIR may name the folder of the server's build: what is not instrumented is then shared with it.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?how many seconds for each target}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(expression rule filter schema test_file body frame cursor)

export CARGO_INCREMENTAL=0
RUSTC_WRAPPER=$PWD/instrument.sh cargo build --locked --bins
built=$(cargo metadata --no-deps --format-version 1 | sed -E 's/.*"target_directory":"([^"]+)".*/\1/')
binaries=$built/debug
learnt=$built/fuzz
mkdir -p findings

fuzz() {
  local target=$1 log status=0
  log=$learnt/$target.log
  mkdir -p "$learnt/$target"
  # Half a mebibyte of stack: the smallest a thread of the server has is four times that.
  (
    ulimit -s 512
    exec "$binaries/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=4096 \
      -dict=dictionary.txt -artifact_prefix="findings/$target-" "$learnt/$target" "corpus/$target"
  ) >"$log" 2>&1 || status=$?
  if [ "$status" != 0 ]; then
    echo "$target: FAILED ($status)"
    tail -n 40 "$log"
    return 1
  fi
  echo "$target: $(grep -E '^Done ' "$log"), $(grep -oE 'cov: [0-9]+' "$log" | tail -1)"
}

failed=0
running=0
for target in "${targets[@]}"; do
  fuzz "$target" &
  running=$((running + 1))
  if [ "$running" = 2 ]; then
    wait -n || failed=1
    running=1
  fi
done
while [ "$running" -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
exit "$failed"
