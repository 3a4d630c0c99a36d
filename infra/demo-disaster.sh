#!/usr/bin/env bash
# Plays a disaster from its beginning to its end, on a real database with a client that never stops writing: rows are
# deleted and a table is dropped by mistake, and a backup brings them back. Ends with 0 only if all of it went as
# it should. CCC_BACKUP_BIN names the binary, else the release build.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=/dev/null
source "$root/infra/source.sh"
binary=$(find_binary demo-disaster)
work=$(make_work)
client=''
clean_up() {
    [[ -z $client ]] || kill "$client" 2>/dev/null || true
    stop_source
    cd / && rm -rf -- "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

choose_source content_creation_crew
PATH=$PATH:$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)

echo "Starting a throwaway PostgreSQL on $DB_HOST:$DB_PORT, with migrations and test data…"
start_source
export PGHOST=$DB_HOST PGPORT=$DB_PORT PGUSER=$DB_USER PGPASSWORD=$DB_PASSWORD
fill_source 0.1

mkdir "$work/backups"
cd "$work"

ccc-backup() { "$binary" "$@"; }
sql() { psql -X -q -At -v ON_ERROR_STOP=1 -d "$DB_NAME" -c "$1"; }
show() {
    printf '\n$ %s\n' "$*"
    "$@"
}
# The same of a command that says by its exit code that there is something to be seen.
differs() {
    local code=0
    printf '\n$ %s\n' "$*"
    "$@" || code=$?
    [[ $code == 1 ]] || {
        echo "demo-disaster: exit code $code in the place of 1" >&2
        exit 1
    }
}

sql 'CREATE TABLE visits (at timestamptz DEFAULT now())'
had=$(sql 'SELECT count(*) FROM comments')
show ccc-backup create backups/before.sql.gz --quiet
while :; do
    psql -X -q -d "$DB_NAME" -c 'INSERT INTO visits DEFAULT VALUES' 2>/dev/null || true
done &
client=$!

printf '\nThe mistake: half of the comments are deleted, and a table is dropped.\n'
sql 'UPDATE comments SET parent_id = NULL' && sql 'DELETE FROM comments WHERE id % 2 = 0'
sql 'DROP TABLE artifact_tags'

printf '\nWhat was in the backup?\n'
printf '\n$ ccc-backup extract backups/before.sql.gz --table comments | head -n 3\n'
ccc-backup extract backups/before.sql.gz --table comments | head -n 3

printf '\nAnd what is missing now, against a fresh backup?\n'
show ccc-backup create backups/after.sql.gz --quiet
differs ccc-backup diff backups/before.sql.gz backups/after.sql.gz

printf '\nOne table, beside the one in use:\n'
show ccc-backup restore backups/before.sql.gz --table comments --into-schema found
missing=$(sql 'SELECT count(*) FROM found.comments f WHERE NOT EXISTS (SELECT FROM comments c WHERE c.id = f.id)')
echo "$missing comments are missing"
sql 'SET client_min_messages = warning; DROP SCHEMA found CASCADE'

printf '\nAll of it, while the client goes on writing:\n'
show ccc-backup restore backups/before.sql.gz --swap --yes

now=$(sql 'SELECT count(*) FROM comments')
tags=$(sql 'SELECT count(*) FROM artifact_tags')
written=$(sql 'SELECT count(*) FROM visits')
sleep 1
more=$(sql 'SELECT count(*) FROM visits')
[[ $now == "$had" && $tags -gt 0 && $missing -gt 0 && $more -gt $written ]] || {
    echo "demo-disaster: $now comments of $had, $tags tags, $missing missing before, visits $written and $more" >&2
    exit 1
}
printf '\nAll %s comments are back, and so is the table; the client writes into the restored database.\n' "$now"
