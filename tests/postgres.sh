#!/usr/bin/env bash
# A Postgres of its own for the tests, thrown away afterwards.
#   start DIR          makes a cluster in DIR (which must not exist) and prints its URL
#   start DIR durable  the same, and what was committed is still there after `crash`
#   crash DIR          ends it at once, as when the power fails, and starts it again
#   stop DIR           ends it and removes DIR
# It listens on a Unix socket in DIR alone. Its locale is one whose order and small letters differ from those of bytes,
# so that a comparison that forgets its collation is noticed.
set -euo pipefail

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Where initdb and pg_ctl are; installs them on Debian and its children.
binaries() {
  local found
  found() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }
  if [ -z "$(found)" ] && ! command -v initdb >/dev/null; then
    as_root apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
  fi
  if [ -n "$(found)" ]; then found; else dirname "$(command -v initdb)"; fi
}

# The server refuses to run as root.
as_owner() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }

start() {
  local dir=$1 durable=${2:-} bin quick=''
  bin=$(binaries)
  mkdir -m 700 "$dir"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$dir"; fi
  cd "$dir"
  init() { as_owner "$bin/initdb" -D "$dir/data" -U stead -A trust -E UTF8 --no-sync "$@" >"$dir.log" 2>&1; }
  init --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US || { cat "$dir.log" >&2; exit 1; }
  mv "$dir.log" "$dir/initdb.log"
  # What is lost when the machine stops is thrown away anyway.
  if [ "$durable" != durable ]; then quick='-c fsync=off -c synchronous_commit=off -c full_page_writes=off'; fi
  as_owner "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 -s start -o "-c listen_addresses='' \
    -c unix_socket_directories='$dir' $quick \
    -c max_connections=200 -c shared_buffers=64MB -c jit=off" >/dev/null || { cat "$dir/server.log" >&2; exit 1; }
  echo "postgres:///postgres?host=$dir&user=stead"
}

# Nothing is written out before: it comes back from its log, with the settings it was started with.
crash() {
  local dir=$1
  cd "$dir"
  as_owner "$(binaries)/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 -s -m immediate restart >/dev/null ||
    { cat "$dir/server.log" >&2; exit 1; }
}

stop() {
  local dir=$1
  cd /
  if [ -f "$dir/data/postmaster.pid" ]; then as_owner "$(binaries)/pg_ctl" -D "$dir/data" -w -s -m immediate stop; fi
  rm -rf "$dir"
}

case "${1:-}:${2:-}" in
  start:?*) start "$2" "${3:-}" ;;
  crash:?*) crash "$2" ;;
  stop:?*) stop "$2" ;;
  *) echo 'usage: postgres.sh start|crash|stop DIR' >&2; exit 2 ;;
esac
