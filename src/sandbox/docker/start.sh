# Runs in the container instead of the image's entrypoint, by any POSIX shell, after
# find-server.sh; "$@" is for the server. The password comes on stdin, so that no list of processes,
# no environment and no inspection shows it; printf is part of the shell.
umask 077
IFS= read -r password
if ! command -v initdb >/dev/null; then
    echo "ccc-backup: this image has no initdb" >&2
    exit 127
fi
if ! mkdir -p "$PGDATA"; then
    echo "ccc-backup: $(id -un) may not write to $PGDATA in this image" >&2
    exit 73
fi
# An image of our own may bring what its initdb made (initdb -N -U postgres -E UTF8 --locale=C):
# unpacking it takes a fifth of the time.
cluster=/usr/share/ccc-backup/cluster.tar
if [ -r "$cluster" ]; then
    tar -xf "$cluster" -C "$PGDATA"
    printf "ALTER ROLE postgres PASSWORD '%s'\n" "$password" |
        postgres --single -F -c password_encryption=scram-sha-256 -c log_min_messages=fatal \
            -c shared_buffers=1MB -c max_connections=5 -D "$PGDATA" postgres >/dev/null
else
    printf '%s\n' "$password" >/tmp/password
    initdb -D "$PGDATA" -N -U postgres --pwfile=/tmp/password --auth-local=trust \
        --auth-host=scram-sha-256 -E UTF8 --locale=C >/tmp/initdb.log 2>&1 ||
        { rm -f /tmp/password; cat /tmp/initdb.log >&2; exit 1; }
    rm -f /tmp/password
fi
password=
printf '%s\n' 'local all all trust' 'host all all all scram-sha-256' >"$PGDATA/pg_hba.conf"
# Libraries that the backup's extensions want loaded from the start, of those that the image has, beside those that it
# loads by itself.
if [ -n "${CCC_BACKUP_PRELOAD:-}" ]; then
    server=$(command -v postgres) libraries=$(postgres -D "$PGDATA" -C shared_preload_libraries)
    for name in $CCC_BACKUP_PRELOAD; do
        case ",$libraries," in *[,\ ]"$name"[,\ ]*) continue ;; esac
        for dir in "${server%/bin/*}/lib" "${server%/bin/*}/lib/postgresql"; do
            if [ -e "$dir/$name.so" ]; then
                libraries=${libraries:+$libraries,}$name
                break
            fi
        done
    done
    set -- "$@" -c "shared_preload_libraries=$libraries"
fi
# Programs of ours look in /tmp, the image's own in the other, which is root's where Podman mounts a
# directory of its own over ours.
sockets=/tmp
if [ -w /var/run/postgresql ]; then sockets=/var/run/postgresql,/tmp; fi
exec postgres -D "$PGDATA" "$@" -c "unix_socket_directories=$sockets" </dev/null
