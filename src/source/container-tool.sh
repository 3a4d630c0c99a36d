#!/bin/sh
# Runs a client tool of PostgreSQL in a container, for ccc-backup (src/dump/container_tools.rs).
image=@IMAGE@
tool=@TOOL@
writable=@WRITABLE@

arguments() {
    printf '%s\n' run --rm --interactive --network=host --log-driver=none
    printf '%s\n' @LABELS@
    printf '%s\n' "--user=$(id -u):$(id -g)" --cap-drop=ALL --security-opt=no-new-privileges --read-only
    printf '%s\n' "--volume=$writable:$writable" "--workdir=$writable" --entrypoint=/bin/sh
    # libpq's variables by name: their values are in no list of processes. The password comes on stdin,
    # so that it is in no inspection either.
    env | sed -n 's/^\(PG[A-Z]*\)=.*/\1/p' | grep -v '^PGPASSWORD$' | sed 's/^/--env=/'
    printf '%s\n' --env=LC_ALL --env=HOME
    # What they name, and what libpq reads by itself.
    for file in "${PGPASSFILE:-$HOME/.pgpass}" "${PGSERVICEFILE:-$HOME/.pg_service.conf}" "$PGSYSCONFDIR" \
        "$PGSSLCERT" "$PGSSLKEY" "$PGSSLROOTCERT" "$PGSSLCRL" "$HOME/.postgresql" "$PGHOST" /var/run/postgresql; do
        case $file in
            /*) [ ! -e "$file" ] || printf '%s\n' "--volume=$file:$file:ro" ;;
        esac
    done | sort -u
}

script='IFS= read -r PGPASSWORD
[ -z "$PGPASSWORD" ] && unset PGPASSWORD || export PGPASSWORD
command -v "$0" >/dev/null || PATH=$PATH:$(printf "%s:" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin)
exec "$0" "$@" </dev/null'

IFS='
'
set -f
# shellcheck disable=SC2046 # one argument a line
set -- $(arguments) "$image" -c "$script" "$tool" "$@"
unset IFS
printf '%s\n' "${PGPASSWORD-}" | exec docker "$@"
