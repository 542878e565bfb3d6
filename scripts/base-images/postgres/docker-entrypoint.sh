#!/bin/bash
# Prepares the data directory on the first start, then becomes the server as its own user. The environment and the
# folder of first-start scripts are those the public image documents.
set -euo pipefail

if [ "${1:-}" = "" ] || [ "${1#-}" != "$1" ]; then set -- postgres "$@"; fi
if [ "$1" != postgres ]; then exec "$@"; fi

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chown postgres:postgres "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
  password=${POSTGRES_PASSWORD:-}
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then password=$(<"$POSTGRES_PASSWORD_FILE"); fi
  method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  if [ -z "$password" ] && [ "$method" != trust ]; then
    echo "The database has no superuser password: set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust." >&2
    exit 1
  fi
  # shellcheck disable=SC2086
  initdb --username="$user" --pwfile=<(printf '%s\n' "$password") --auth-host="$method" ${POSTGRES_INITDB_ARGS:-}
  printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
  # Reachable over the local socket only, until everything is in place.
  PGPASSWORD=$password pg_ctl --wait -D "$PGDATA" -o "-c listen_addresses='' -c unix_socket_directories=/tmp" start
  sql() { PGPASSWORD=$password psql -v ON_ERROR_STOP=1 --no-psqlrc -q -h /tmp -U "$user" "$@"; }
  if [ "$database" != postgres ]; then
    printf 'CREATE DATABASE :"db";\n' | sql -d postgres --set db="$database"
  fi
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      *.sh) . "$file" ;;
      *.sql) sql -d "$database" -f "$file" ;;
      *.sql.gz) gunzip -c "$file" | sql -d "$database" ;;
    esac
  done
  pg_ctl --wait --mode=fast -D "$PGDATA" stop
  echo "The data directory is ready."
fi
exec "$@"
