#!/usr/bin/env bash
# Shows ccc-backup on a real database: backs it up, proves that the backup restores, then cuts a
# copy short and shows that this is noticed. Ends with 0 only if all three went as they should.
# CCC_BACKUP_BIN names the binary, else the release build.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=/dev/null
source "$root/infra/source.sh"
binary=$(find_binary demo)
work=$(make_work)
clean_up() {
    stop_source
    cd / && rm -rf -- "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

choose_source content_creation_crew

echo "Starting a throwaway PostgreSQL on $DB_HOST:$DB_PORT, with migrations and test data…"
start_source
fill_source 0.1

ccc-backup() { "$binary" "$@"; }

codes=()
show() {
    local code=0
    printf '\n$ %s\n' "$*"
    "$@" || code=$?
    echo "exit code: $code"
    codes+=("$code")
}

mkdir "$work/backups"
cd "$work"
show ccc-backup create
show ccc-backup verify --latest

backup=$(find backups -name 'backup_*.sql.gz')
[[ -n $backup ]] || {
    echo 'demo: no backup was made' >&2
    exit 1
}
printf '\nA copy that lost its last third:\n'
head -c "$(($(stat -c %s "$backup") * 2 / 3))" "$backup" >cut.sql.gz
show ccc-backup verify cut.sql.gz

echo
[[ "${codes[*]}" == '0 0 1' ]] || {
    echo "demo: the exit codes are ${codes[*]}, and should be 0 0 1" >&2
    exit 1
}
echo 'The backup is proven to restore (0), the damaged copy is refused (1).'
