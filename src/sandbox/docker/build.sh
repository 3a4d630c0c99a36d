# Runs as root in a container of an image of PostgreSQL: sees that it has extensions, by packages where it lacks them.
# Each argument is EXTENSION=PACKAGE, or EXTENSION= where no package is known. What goes wrong is the last line.
fail() {
    echo "E: $1" >&2
    exit 1
}
is_here() {
    for dir in /usr/share/postgresql/*/extension /usr/local/share/postgresql/extension /usr/pgsql-*/share/extension \
        /opt/*/postgresql/share/extension; do
        if [ -e "$dir/$1.control" ]; then return 0; fi
    done
    return 1
}

packages='' unknown=''
for pair; do
    if is_here "${pair%%=*}"; then continue; fi
    if [ -n "${pair#*=}" ]; then packages="$packages ${pair#*=}"; else unknown="$unknown ${pair%%=*}"; fi
done
if [ -n "$unknown" ]; then fail "no package is known of$unknown"; fi
if [ -z "$packages" ]; then exit 0; fi
if ! command -v apt-get >/dev/null; then fail "it has no apt-get"; fi

export DEBIAN_FRONTEND=noninteractive
options='-q -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o Dpkg::Use-Pty=0'
# shellcheck disable=SC2086 # the words of both
{
    apt-get $options update || fail "apt-get update failed"
    apt-get $options install --yes --no-install-recommends $packages
} >&2
for pair; do
    is_here "${pair%%=*}" || fail "the package ${pair#*=} does not bring ${pair%%=*}"
done
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
