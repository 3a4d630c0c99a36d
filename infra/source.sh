# What the scripts that show the binary stand on, and read by `source`: the binary, a directory to work in, and a throwaway
# PostgreSQL, which needs root (of the repository) and work (that directory).
# shellcheck shell=bash

stop=''

# Prints the path of the binary: that of CCC_BACKUP_BIN, else the release build. $1 is who asks.
find_binary() {
    local found
    found=$(realpath -m -- "${CCC_BACKUP_BIN:-${root:?}/target/release/ccc-backup}")
    [[ -x $found ]] || {
        echo "$1: no $found: cargo build --release makes it" >&2
        return 1
    }
    echo "$found"
}

# Makes a directory that the server's user, another one, can pass through, and prints its path.
make_work() {
    local made
    made=$(mktemp -d)
    chmod 711 "$made"
    echo "$made"
}

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
