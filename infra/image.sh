#!/usr/bin/env bash
# Builds ccc-backup/ccc-backup:VERSION: the tool, and PostgreSQL's servers and client programs for `--engine local`, out of
# Debian's own packages and without a registry. infra/image/Dockerfile is the same for those who have one.
#
#   infra/image.sh BINARY [NAME]      NAME is that of the image, instead
#
# PostgreSQL is 15 and 17 on Debian 12 and newer (15 is of bookworm, 17 of trixie), elsewhere what the system's release has.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
source "$here/from-packages.sh"
binary=${1:?usage: infra/image.sh BINARY [NAME]}
version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml")
image=${2:-ccc-backup/ccc-backup:$version}
commit=${CCC_BACKUP_COMMIT:-$(git -C "$here" describe --always --abbrev=40 --exclude '*' --dirty 2>/dev/null || true)}

die() {
    echo "image: error: $1" >&2
    [[ -z ${2:-} ]] || echo "  hint: $2" >&2
    exit 1
}

note() { echo "image: $*"; }

# What the image is made of, in the order of this list: its base, what the tool asks for, the servers.
packages() {
    local list=base-files,base-passwd,coreutils,dash,libc-bin,locales,sed,tzdata,libgcc-s1
    # A user id without a name needs libnss-wrapper: PostgreSQL asks who it runs as.
    list+=,ca-certificates,libnss-wrapper
    printf '%s' "$list" "${servers[@]/#/,postgresql-}"
}

choose_servers() {
    servers=(17)
    if [[ $ID == debian ]]; then
        local mirror
        mirror=$(distribution_targets '$(REPO_URI)' | grep -v security | head -n 1)
        codename=trixie servers=(15 17)
        printf 'deb %s %s main\n' "$mirror" trixie "$mirror" bookworm >"$work/sources.list"
    else
        mapfile -t servers < <(apt-cache pkgnames postgresql- | sed -n 's/^postgresql-\([0-9]\+\)$/\1/p' | sort -n)
    fi
}

build() {
    cp -r "$here/image" "$work/"
    strip --strip-all -o "$work/ccc-backup" -- "$binary"
    chmod -R a+rX "$work"
    chmod 755 "$work/ccc-backup"
    cd "$work"
    unpack image/hooks "$(packages)" |
        docker import \
            --change 'ENTRYPOINT ["ccc-backup"]' \
            --change 'CMD ["--help"]' \
            --change 'USER 65532:65532' \
            --change 'WORKDIR /var/lib/ccc-backup' \
            --change 'ENV PATH=/usr/bin:/usr/sbin' \
            --change 'ENV HOME=/tmp' \
            --change 'ENV LANG=C.UTF-8' \
            --change 'ENV CCC_BACKUP_DIR=/var/lib/ccc-backup' \
            --change 'HEALTHCHECK --interval=1h --timeout=2m CMD ["ccc-backup", "doctor", "--engine", "local", "--quiet"]' \
            --change 'LABEL org.opencontainers.image.title="ccc-backup"' \
            --change 'LABEL org.opencontainers.image.description="PostgreSQL backups that are proven to restore"' \
            --change 'LABEL org.opencontainers.image.licenses="MIT OR Apache-2.0"' \
            --change "LABEL org.opencontainers.image.version=\"$version\"" \
            --change "LABEL org.opencontainers.image.revision=\"$commit\"" \
            --change "LABEL org.opencontainers.image.base.name=\"$ID:$codename\"" \
            --message "ccc-backup $version with PostgreSQL ${servers[*]}" \
            -
}

[[ -x $binary ]] || die "no $binary" 'make build'
docker version >/dev/null 2>&1 || die 'no Docker Engine answers' 'docker version'
[[ -e /etc/debian_version ]] || die 'this machine does not have apt' 'docker build -f infra/image/Dockerfile .'
name_the_system
binary=$(realpath -- "$binary")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install_tools
write_apt_files
choose_servers
note "building $image with PostgreSQL ${servers[*]} from the packages of $origin $codename"
built=$(build) || {
    cat "$work/mmdebstrap.log" >&2
    # An import of half a tree makes an image, too.
    [[ -z $built ]] || docker image rm "$built" >/dev/null
    die "$image could not be built"
}
# It gets its name only after the programs in it have run.
docker run --rm --network none --read-only --entrypoint sh "$built" -ec '
    ccc-backup --version
    for server in /usr/lib/postgresql/*/bin; do
        "$server/postgres" --version && "$server/pg_dump" --version && "$server/initdb" --version
    done' >"$work/versions" || die "the programs do not run in $image"
replaced=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null) || true
docker tag "$built" "$image"
# Kept if a container still runs from it.
[[ -z $replaced ]] || docker image rm "$replaced" >/dev/null 2>&1 || true
note "built $image: $(grep -c . "$work/versions") programs tried, $(($(docker image inspect --format '{{.Size}}' "$built") / 1000000)) MB, in $SECONDS s"
