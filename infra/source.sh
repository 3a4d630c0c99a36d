# A throwaway PostgreSQL for the scripts beside this one, which read it by `source`. Needs root (of the repository) and
# work (a directory that others may pass through).
# shellcheck shell=bash

stop=''

# Below the ports that the kernel hands out by itself.
free_port() {
    local port
    for port in $(shuf -i 20000-29999 -n 20); do
        (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
            echo "$port"
            return
        }
    done
}

# Chooses the server's address and password, and the name of its database.
choose_source() {
    DB_HOST=127.0.0.1 DB_PORT=$(free_port) DB_NAME=$1 DB_USER=postgres
    DB_PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    export DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD SOURCE_PASSWORD=$DB_PASSWORD
}

# Starts it.
start_source() {
    coproc source { exec "${root:?}/tests/fixtures/source-server.sh" "${work:?}/source" "$DB_PORT"; }
    # shellcheck disable=SC2154 # coproc sets it
    server=$source_PID stop=${source[1]}
    read -r _ <&"${source[0]}" || exit 1 # it has said why
}

# Makes its database, with migrations and test data.
fill_source() {
    PGHOST=$DB_HOST PGPORT=$DB_PORT PGUSER=$DB_USER PGPASSWORD=$DB_PASSWORD \
        "$root/tests/fixtures/make-database.sh" "$DB_NAME" "$@"
}

# Ends it: it ends with its standard input.
stop_source() {
    [[ -z $stop ]] || { exec {stop}>&- && wait "$server"; } || true
}
