#!/usr/bin/env bash
# A Postgres of its own for the tests, thrown away afterwards.
#   start DIR          makes a cluster in DIR (which must not exist) and prints its URL
#   start DIR durable  the same, and what was committed is still there after `crash`
#   start-tls DIR      the same on a port of its own, for encrypted lines and passwords only; DIR/tls has what clients need
#   crash DIR          ends it at once, as when the power fails, and starts it again
#   stop DIR           ends it and removes DIR
# Without TLS it listens on a Unix socket in DIR alone. Its locale is one whose order and small letters differ from those of bytes,
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

# Makes a cluster in $1 whose role `stead` must show itself as $2 says.
make() {
  local dir=$1 bin
  bin=$(binaries)
  mkdir -m 700 "$dir"
  echo 'correct horse' >"$dir/password"
  if [ "$(id -u)" = 0 ]; then chown -R postgres: "$dir"; fi
  cd "$dir"
  as_owner "$bin/initdb" -D "$dir/data" -U stead -A "$2" --pwfile="$dir/password" -E UTF8 --no-sync --locale=C.UTF-8 --locale-provider=icu \
    --icu-locale=en-US >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
}

# Runs the cluster in $1 with the settings in $2.
run() {
  local dir=$1
  as_owner "$(binaries)/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 -s start -o "-c unix_socket_directories='$dir' \
    -c max_connections=200 -c shared_buffers=64MB -c jit=off $2" >/dev/null
}

# What is lost when the machine stops is thrown away anyway.
quick='-c fsync=off -c synchronous_commit=off -c full_page_writes=off'

start() {
  if [ "${2:-}" = durable ]; then quick=''; fi
  make "$1" trust
  run "$1" "-c listen_addresses='' $quick" || { cat "$1/server.log" >&2; exit 1; }
  echo "postgres:///postgres?host=$1&user=stead"
}

# An authority, the certificate of the server (for the name localhost alone), one of the role `stead`, and another
# authority, which signed nothing.
certificates() {
  local who
  for who in authority another; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$who of a test" \
      -keyout "$who.key" -out "$who.pem"
  done
  for who in server stead; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$who" -keyout "$who.key" -out "$who.csr"
    openssl x509 -req -days 2 -CA authority.pem -CAkey authority.key -CAcreateserial -in "$who.csr" -out "$who.pem" \
      -extfile <(echo subjectAltName=DNS:localhost)
  done
}

start_tls() {
  local dir=$1 port
  command -v openssl >/dev/null || as_root apt-get install -y -qq --no-install-recommends openssl >/dev/null
  make "$dir" scram-sha-256
  mkdir "$dir/tls"
  (cd "$dir/tls" && certificates) >"$dir/openssl.log" 2>&1 || { cat "$dir/openssl.log" >&2; exit 1; }
  if [ "$(id -u)" = 0 ]; then chown -R postgres: "$dir/tls"; fi
  # The database `badge` asks for the certificate of a role instead of its password.
  printf '%s\n' 'local all all scram-sha-256' 'hostssl badge all all cert' 'hostssl all all all scram-sha-256' \
    >"$dir/data/pg_hba.conf"
  for _ in 1 2 3 4 5; do
    # Any port; if somebody has it, another.
    port=$((20000 + RANDOM % 10000))
    if run "$dir" "$quick -c listen_addresses=localhost -c port=$port -c ssl=on -c ssl_cert_file='$dir/tls/server.pem' \
      -c ssl_key_file='$dir/tls/server.key' -c ssl_ca_file='$dir/tls/authority.pem'" 2>/dev/null
    then
      echo "postgres://stead:correct%20horse@localhost:$port/postgres?sslmode=verify-full&sslrootcert=$dir/tls/authority.pem"
      return
    fi
  done
  cat "$dir/server.log" >&2
  exit 1
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
  start-tls:?*) start_tls "$2" ;;
  crash:?*) crash "$2" ;;
  stop:?*) stop "$2" ;;
  *) echo 'usage: postgres.sh start|start-tls|crash|stop DIR' >&2; exit 2 ;;
esac
