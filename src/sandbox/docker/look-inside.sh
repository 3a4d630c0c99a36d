# After find-server.sh: says in four lines where pg_dump is, who owns the data, and which role and database the image was
# told to make. Peer authentication lets that owner in, and what an image was told may stand in a file.
told() {
    if [ -n "$1" ]; then echo "$1"; elif [ -r "$2" ]; then head -n 1 "$2"; else echo; fi
}
command -v pg_dump || echo
owner=$(stat -c %u:%g "${PGDATA:-/var/lib/postgresql/data}" 2>/dev/null)
case $owner in '' | 0:*) owner=$(id -u postgres 2>/dev/null) ;; esac
echo "$owner"
told "${PGUSER:-$POSTGRES_USER}" "$POSTGRES_USER_FILE"
told "${PGDATABASE:-$POSTGRES_DB}" "$POSTGRES_DB_FILE"
