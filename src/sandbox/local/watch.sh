# Waits beside a local server until ccc-backup says a word, or is gone without one: then it ends the
# server, and removes its directory, "$1".
IFS= read -r _ && exit 0
lives() {
    pid=$(head -n 1 "$1/work/data/postmaster.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$1/work/data" ]
}
for signal in QUIT QUIT KILL; do
    if lives "$1"; then kill -s "$signal" "$pid"; fi
    tries=0
    while lives "$1" && [ "$tries" -lt 30 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    # What was being made when ccc-backup was killed may go on for a moment.
    rm -rf -- "$1"
    sleep 0.5
done
rm -rf -- "$1"
