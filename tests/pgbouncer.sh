#!/usr/bin/env bash
# A PgBouncer of its own for the tests, which lends few connections of a Postgres by the transaction.
#   start DIR POSTGRES  makes it in DIR (which must not exist), before the Postgres whose socket is in the folder POSTGRES
#                       (see postgres.sh), and prints its URL
#   stop DIR            ends it and removes DIR
set -euo pipefail

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# It refuses to run as root.
as_owner() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }

# Debian and its children have it outside of the usual path.
export PATH=$PATH:/usr/sbin

start() {
  local dir=$1 postgres=$2
  if ! command -v pgbouncer >/dev/null; then
    as_root apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pgbouncer >/dev/null
  fi
  mkdir -m 700 "$dir"
  echo '"stead" ""' >"$dir/users"
  # Four connections of Postgres for each database, so that whoever needs the same one twice does not get it.
  cat >"$dir/pgbouncer.ini" <<INI
[databases]
by_session = host=$postgres pool_mode=session
by_statement = host=$postgres dbname=postgres pool_mode=statement
* = host=$postgres
[pgbouncer]
pool_mode = transaction
default_pool_size = 4
server_idle_timeout = 2
server_round_robin = 1
server_login_retry = 1
max_client_conn = 2000
auth_type = trust
auth_file = $dir/users
unix_socket_dir = $dir
listen_port = 5432
pidfile = $dir/pid
logfile = $dir/log
INI
  if [ "$(id -u)" = 0 ]; then chown -R postgres: "$dir"; fi
  as_owner pgbouncer -q -d "$dir/pgbouncer.ini" || { cat "$dir/log" >&2; exit 1; }
  echo "postgres:///postgres?host=$dir&user=stead"
}

stop() {
  local dir=$1 pid
  if pid=$(cat "$dir/pid" 2>/dev/null); then
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  fi
  rm -rf "$dir"
}

case "${1:-}:${2:-}:${3:-}" in
  start:?*:?*) start "$2" "$3" ;;
  stop:?*:) stop "$2" ;;
  *) echo 'usage: pgbouncer.sh start DIR POSTGRES | stop DIR' >&2; exit 2 ;;
esac
