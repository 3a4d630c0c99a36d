# Runs a client tool of PostgreSQL in the container of a database, after find-server.sh. On stdout, "$1" and the tool's exit
# code follow what it wrote, so that a stream which was cut is not taken for a whole one. Stdin stays open for as long as
# somebody listens: at its end the tool is ended, because an engine ends nothing when its client goes away.
#
# No process may outlive this one. The container's first process is the postmaster as a rule, which inherits what does: one
# that ends by a signal is taken for a crashed backend, and the whole server starts anew. So everything is waited for, and
# what asks this one to end is passed over.
end=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
tool=$!
(
    IFS= read -r _ <&3
    exec 3<&-
    # From here on it has children of its own, and ends between them.
    trap 'exit 0' TERM
    kill -TERM "$tool"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        sleep 0.1
        kill -0 "$tool" || exit 0
    done
    kill -KILL "$tool"
) >/dev/null 2>&1 &
watch=$!
trap : HUP INT TERM
while wait "$tool"; code=$?; kill -0 "$tool" 2>/dev/null; do :; done
# A shell says on stderr what a process of its own was ended by.
exec 4>&2 2>/dev/null
kill -TERM "$watch"
while wait "$watch"; kill -0 "$watch"; do :; done
exec 2>&4 4>&-
printf '%s%03d' "$end" "$code"
