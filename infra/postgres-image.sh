#!/usr/bin/env bash
# Builds ccc-backup/postgres:MAJOR out of Debian's own packages, for machines that cannot pull postgres:MAJOR.
#
#   infra/postgres-image.sh [--force] [MAJOR]      MAJOR is 15 unless said; --force rebuilds an existing image
#   infra/postgres-image.sh --is-current [MAJOR]   succeeds where there is one that was built as it would be now
#
# The packages are unpacked, not installed (mmdebstrap's variant "extract"): their maintainer scripts would pull in
# Perl and debconf to set up a server that the entrypoint sets up anyway. infra/postgres-image/ holds the rest.
# shellcheck disable=SC2016 # the $(...) in single quotes are apt's
set -euo pipefail

# Which of Debian's releases has which version; of several, where the packages beside come from.
declare -A releases=([13]='bullseye bullseye-security' [15]=bookworm [17]=trixie [18]=forky [19]='forky experimental')

# Says by which version of this script and its hooks an image was built.
recipe_label=io.ccc-backup.recipe

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=''
# shellcheck source=/dev/null
source "$here/from-packages.sh"

die() {
    echo "postgres-image: error: $1" >&2
    [[ -z ${2:-} ]] || echo "  hint: $2" >&2
    exit 1
}

note() { echo "postgres-image: $*"; }

# The release that has the version: this machine's own, else Debian's other one from the same mirror.
choose_release() {
    local lists majors mirror release
    mapfile -t lists < <(distribution_targets '$(FILENAME)')
    majors=$(/usr/lib/apt/apt-helper cat-file "${lists[@]}" |
        sed -n 's/^Package: postgresql-\([0-9]\+\)$/\1/p' | sort -nu | paste -sd' ')
    [[ " $majors " != *" $major "* ]] || return 0
    if [[ $ID == debian && -n ${releases[$major]:-} ]]; then
        codename=${releases[$major]%% *}
        mirror=$(distribution_targets '$(REPO_URI)' | grep -v security | head -n 1)
        mirror=${mirror:-http://deb.debian.org/debian}
        for release in ${releases[$major]}; do
            case $release in
                *-security) echo "deb ${mirror%/}-security $release main" ;;
                *) echo "deb $mirror $release main" ;;
            esac
        done >"$work/sources.list"
        return 0
    fi
    die "$origin $codename has PostgreSQL ${majors:-(none)}, not $major" \
        "docker pull postgres:$major, or infra/postgres-image.sh ${majors%% *}"
}

build() {
    local packages
    # Where the caller is not root, mmdebstrap works as a user who may not see into the caller's home.
    cp -r "$here/postgres-image" "$work/"
    chmod -R a+rX "$work"
    cd "$work"
    # The server brings its contrib extensions and, through its client package, psql. The rest is what the entrypoint,
    # initdb, an operator with `docker exec`, and ccc-backup where no address leads to the container (bash) or the user
    # has no name (libnss-wrapper) use.
    packages=postgresql-$major,base-files,base-passwd,bash,coreutils,dash,libnss-wrapper,findutils,grep,gzip,libc-bin,locales,sed,tar
    packages+=,tzdata,util-linux,zstd
    PG_MAJOR=$major unpack postgres-image/hooks "$packages" |
        docker import \
            --change 'ENTRYPOINT ["docker-entrypoint.sh"]' \
            --change 'CMD ["postgres"]' \
            --change "ENV PATH=/usr/lib/postgresql/$major/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin" \
            --change 'ENV LANG=en_US.utf8' \
            --change "ENV PG_MAJOR=$major" \
            --change 'ENV PGDATA=/var/lib/postgresql/data' \
            --change 'VOLUME /var/lib/postgresql/data' \
            --change 'EXPOSE 5432' \
            --change 'LABEL org.opencontainers.image.title="PostgreSQL for ccc-backup"' \
            --change "LABEL $recipe_label=$recipe" \
            --change "LABEL org.opencontainers.image.base.name=\"$ID:$codename\"" \
            --message "PostgreSQL $major from the packages of $origin $codename" \
            -
}

# The image gets its name only after a server has run in it, the way ccc-backup runs one.
try() {
    docker run --rm --network none --user postgres --read-only --cap-drop ALL --security-opt no-new-privileges \
        --tmpfs /var/lib/ccc:mode=1777 --tmpfs /var/run/postgresql:mode=1777 --tmpfs /tmp:mode=1777 \
        --entrypoint sh "$1" -ec '
            initdb --no-sync --auth trust -D /var/lib/ccc/data >/dev/null
            echo "SELECT 1" | postgres --single -c log_checkpoints=off -D /var/lib/ccc/data postgres >/dev/null
            postgres --version'
}

failed() {
    cat "$work/mmdebstrap.log" >&2
    # An import of half a tree makes an image, too.
    [[ -z $built ]] || docker image rm "$built" >/dev/null
    die "$1"
}

# What ccc-backup's start script unpacks instead of running initdb, which takes longer (src/sandbox/docker/start.sh).
cluster() {
    mkdir "$work/ccc-backup"
    docker run --rm --network none --user postgres --entrypoint sh "$1" -ec '
        umask 077
        initdb -N -A trust -U postgres -E UTF8 --locale=C -D /tmp/cluster >/dev/null
        tar -C /tmp/cluster -cf - .' >"$work/ccc-backup/cluster.tar"
}

# SIGINT is PostgreSQL's fast shutdown. `docker import` cannot set it, a commit of a container can.
name() {
    local container
    container=$(docker create --stop-signal SIGINT "$1")
    docker cp --quiet "$work/ccc-backup" "$container:/usr/share/"
    docker commit "$container" "$image" >/dev/null
    docker rm --volumes "$container" >/dev/null
    # Kept if a container still runs from it.
    [[ -z $replaced ]] || docker image rm "$replaced" >/dev/null 2>&1 || true
}

major=15 force=no check=no
for argument; do
    case $argument in
        --force) force=yes ;;
        --is-current) check=yes ;;
        -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit ;;
        '' | *[!0-9]*) die "not a PostgreSQL major version: '$argument'" 'infra/postgres-image.sh [--force] [MAJOR]' ;;
        *) major=$argument ;;
    esac
done
image=ccc-backup/postgres:$major

docker version >/dev/null 2>&1 || die 'no Docker Engine answers' 'docker version'
replaced=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null) || true
recipe=$(cat "${BASH_SOURCE[0]}" "$here/from-packages.sh" "$here"/postgres-image/*.sh "$here"/postgres-image/hooks/* | sha256sum | cut -c 1-12)
of_image=$(docker image inspect --format "{{index .Config.Labels \"$recipe_label\"}}" "$image" 2>/dev/null) || true
if [[ $check == yes ]]; then
    [[ $of_image == "$recipe" ]]
    exit
fi
if [[ $force == no && $of_image == "$recipe" ]]; then
    note "$image is already here (--force rebuilds it)"
    exit
fi

[[ -e /etc/debian_version ]] || die 'this machine does not have apt' "docker pull postgres:$major"
name_the_system
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install_tools
write_apt_files
choose_release
note "building $image from the packages of $origin $codename"
built=$(build) || failed "$image could not be built"
version=$(try "$built") || failed "PostgreSQL does not start in $image"
cluster "$built" || failed "initdb fails in $image"
name "$built"
size=$(docker image inspect --format '{{.Size}}' "$image")
note "built $image: $version, $((size / 1000000)) MB, in $SECONDS s"
