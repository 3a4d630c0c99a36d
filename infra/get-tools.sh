#!/usr/bin/env bash
# Puts promtool and a registry of images (docker-registry), and with --servers Prometheus and node_exporter too, into
# target/tools, where they are missing there and on the PATH. They are taken out of Debian's packages and not installed:
# the packages would start services.
#
# The tests need promtool and the registry, infra/prometheus/try-alerts.sh the servers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=$PWD/target/tools
from=https://prometheus.io/download

die() {
    echo "get-tools: error: $1" >&2
    echo "  hint: get it from $from and put it on the PATH" >&2
    exit 1
}

have() { [[ -x $tools/$1 ]] || command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -- "$@"; fi
}

# take PACKAGE PROGRAM...
take() {
    local package=$1 program scratch
    shift
    command -v apt-get >/dev/null || die "$1 is missing, and this is no Debian"
    echo "get-tools: taking $* out of Debian's package $package"
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064 # the name of now
    trap "rm -rf '$scratch'" EXIT
    if ! apt-cache show "$package" >/dev/null 2>&1; then
        as_root apt-get update -qq >/dev/null 2>&1 || die 'apt-get update failed'
    fi
    # apt-get may not write for its own user in a directory that is ours alone; it says so at length.
    (cd "$scratch" && apt-get download -qq "$package" >"$scratch/log" 2>&1) ||
        { cat "$scratch/log" >&2; die "the package $package could not be downloaded"; }
    mkdir -p "$tools"
    for program in "$@"; do
        # Into place in one step: two of these may run at once.
        dpkg-deb --fsys-tarfile "$scratch"/*.deb | tar -x -O "./usr/bin/$program" >"$scratch/$program"
        chmod 755 "$scratch/$program"
        mv "$scratch/$program" "$tools/.$program.$$"
        mv "$tools/.$program.$$" "$tools/$program"
    done
    rm -rf "$scratch"
}

programs=(promtool)
[[ ${1:-} != --servers ]] || programs+=(prometheus)
missing=()
for program in "${programs[@]}"; do
    have "$program" || missing+=("$program")
done
[[ ${#missing[@]} == 0 ]] || take prometheus "${missing[@]}"
if [[ ${1:-} == --servers ]] && ! have prometheus-node-exporter; then
    take prometheus-node-exporter prometheus-node-exporter
fi
if ! have docker-registry; then
    from=https://github.com/distribution/distribution/releases
    take docker-registry docker-registry
fi
