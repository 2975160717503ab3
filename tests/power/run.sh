#!/usr/bin/env bash
# Power cuts and full disks: nothing that was acknowledged may be lost. For a nightly run on Linux, as root.
#   tests/power/run.sh                                     ten cuts on ext4, three on XFS where mkfs.xfs is, and the controls
#   CYCLES_EXT4=300 CYCLES_XFS=300 tests/power/run.sh      before a release
# Data folders lie on a file system in a file. All that is written lies in one temporary folder, which goes with the run.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" = 0 ] || { echo 'power cuts need root: they mount file systems' >&2; exit 2; }
for tool in mkfs.ext4 losetup mountpoint python3; do
  command -v "$tool" >/dev/null || { echo "power cuts need $tool" >&2; exit 2; }
done
if [ -z "${STEAD_BIN:-}" ]; then
  cargo build --locked -p stead
  told=$(cargo metadata --no-deps --format-version 1)
  STEAD_BIN=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])' <<<"$told")/debug/stead
fi

folder=$(mktemp -d)
chmod 711 "$folder"
helper=
tidy() {
  # Whatever is left when it was ended in the middle.
  if [ -n "$helper" ]; then kill "$helper" 2>/dev/null && wait "$helper" || true; fi
  if [ -f "$folder/server.pid" ]; then kill -9 "$(cat "$folder/server.pid")" 2>/dev/null || true; fi
  if [ -d "$folder/postgres" ]; then bash tests/postgres.sh stop "$folder/postgres"; fi
  for _ in $(seq 50); do
    mountpoint -q "$folder/disk" || break
    umount "$folder/disk" 2>/dev/null || sleep 0.1
  done
  for device in $(losetup -n -O NAME -j "$folder/image"); do losetup -d "$device"; done
  rm -rf --one-file-system "$folder"
}
trap tidy EXIT
trap 'exit 130' INT TERM

# In the background, so that a signal is heard at once.
run() {
  python3 -B "tests/power/$1.py" "$STEAD_BIN" "$app" "$folder" "${@:2}" &
  helper=$!
  wait "$helper"
  helper=
}

app=tests/e2e/apps/probe

run cut ext4 full "${CYCLES_EXT4:-10}"
run cut ext4 normal 20
if command -v mkfs.xfs >/dev/null; then
  run cut xfs full "${CYCLES_XFS:-3}"
  run cut xfs normal 20
else
  echo 'XFS is left out: there is no mkfs.xfs'
fi

run full
postgres=$(bash tests/postgres.sh start "$folder/postgres")
run full "$postgres"
