#!/bin/sh
# Entrypoint of ccc-backup/postgres. Takes the variables that the official image of PostgreSQL takes:
# POSTGRES_PASSWORD (required), POSTGRES_USER, POSTGRES_DB, POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, PGDATA.
set -eu

case ${1:-} in -*) set -- postgres "$@" ;; esac
[ "${1:-}" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown postgres:postgres "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --clear-groups -- "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
        echo 'error: POSTGRES_PASSWORD is not set' >&2
        echo '  hint: docker run -e POSTGRES_PASSWORD=... (or -e POSTGRES_HOST_AUTH_METHOD=trust)' >&2
        exit 1
    fi
    # Through a pipe, so that the password is in no argument and no file.
    # shellcheck disable=SC2086 # the words of POSTGRES_INITDB_ARGS
    printf '%s\n' "${POSTGRES_PASSWORD:-}" |
        initdb --username="$user" --pwfile=/dev/stdin ${POSTGRES_INITDB_ARGS:-} -D "$PGDATA"
    printf 'host all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
    # Single-user mode needs no second start of the server.
    if [ "$database" != postgres ]; then
        name=$(printf '%s' "$database" | sed 's/"/""/g')
        printf 'CREATE DATABASE "%s"\n' "$name" | postgres --single -j -D "$PGDATA" postgres >/dev/null
    fi
fi

unset POSTGRES_PASSWORD
exec "$@"
