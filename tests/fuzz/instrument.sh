#!/bin/sh
# As RUSTC_WRAPPER: counts the branches of our own crates and of the YAML reader, and leaves all others as they are.
# These are LLVM's flags for libFuzzer; no sanitizer is among them, so that a stable compiler takes them.
set -eu
crate=
previous=
for argument in "$@"; do
  [ "$previous" = --crate-name ] && crate=$argument
  case $argument in src/bin/*.rs) crate=stead_target ;; esac
  previous=$argument
done
case $crate in
  stead_* | saphyr_parser)
    exec "$@" -Cpasses=sancov-module \
      -Cllvm-args=-sanitizer-coverage-level=3 \
      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
      -Cllvm-args=-sanitizer-coverage-pc-table \
      -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
esac
exec "$@"
