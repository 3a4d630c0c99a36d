#!/usr/bin/env bash
# Adds the archive of postgresql.org (apt.postgresql.org) to a Debian or Ubuntu machine, for major versions that the
# system itself does not have. With arguments, installs these packages from it. Done at once where they are there.
#
#   infra/postgres-archive.sh postgresql-client-17
set -euo pipefail

say() { echo "postgres-archive: $*"; }

die() {
    echo "postgres-archive: error: $1" >&2
    [[ -z ${2:-} ]] || echo "  hint: $2" >&2
    exit 1
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -- "$@"; fi
}

install() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@" </dev/null >/dev/null
}

installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

available() { [[ $(apt-cache policy "$1") == *'Candidate: '[!\(]* ]]; }

command -v apt-get >/dev/null || die 'this is for Debian and Ubuntu' 'https://www.postgresql.org/download'

missing=()
for package in "$@"; do
    installed "$package" || missing+=("$package")
done
[[ $# == 0 || ${#missing[@]} != 0 ]] || exit 0

if ! grep -qrs 'apt\.postgresql\.org' /etc/apt/sources.list /etc/apt/sources.list.d; then
    say 'adding apt.postgresql.org'
    as_root apt-get update -qq
    # The package brings the archive's key and the script that writes the source.
    install postgresql-common ca-certificates
    as_root /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y >/dev/null
else
    as_root apt-get update -qq
fi

for package in "${missing[@]}"; do
    available "$package" || die "neither this system nor apt.postgresql.org has $package"
done
if [[ ${#missing[@]} != 0 ]]; then
    say "installing ${missing[*]}"
    install "${missing[@]}"
fi
