#!/usr/bin/env bash
# What .github/workflows/release.yml does for a tag, on a machine with rustup; what is made lies in target/packages.
#
#   infra/release.sh make       a static binary for this processor, its packages, and the list of what is in it (SBOM)
#   infra/release.sh publish    checksums of all of it, and a release of the tag GITHUB_REF_NAME by gh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$PWD/target/packages
cyclonedx=0.5.9

version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
[[ ${GITHUB_REF_NAME:-v$version} == "v$version" ]] || {
    echo "release: error: the tag $GITHUB_REF_NAME is not of version $version" >&2
    echo '  hint: Cargo.toml has the version, CHANGELOG.md what is in it' >&2
    exit 1
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -- "$@"; fi
}

make_all() {
    local target packages=() binary
    target=$(uname -m)-unknown-linux-musl
    command -v musl-gcc >/dev/null || packages+=(musl-tools)
    command -v rpmbuild >/dev/null || packages+=(rpm)
    [[ ${#packages[@]} == 0 ]] || { as_root apt-get update -qq && as_root apt-get install --yes -qq "${packages[@]}"; }
    rustup target add "$target"
    cargo build --release --locked --target "$target"
    binary=target/$target/release/ccc-backup

    mkdir -p "$out"
    infra/package-deb.sh "$binary" "$out"
    infra/package-rpm.sh "$binary" "$out"
    strip --strip-all -o "$out/ccc-backup-$version-$target" -- "$binary"

    cargo install --quiet --locked "cargo-cyclonedx@$cyclonedx"
    cargo cyclonedx --format json --target "$target" --override-filename "ccc-backup-$version-$target.cdx"
    mv "ccc-backup-$version-$target.cdx.json" "$out/"
}

publish() {
    (cd "$out" && sha256sum -- * >SHA256SUMS)
    # What stands in the changelog below this version.
    sed -n "/^## \[$version\]/,/^## \[/{/^## \[/d;p}" CHANGELOG.md >"$out/../notes.md"
    gh release create "v$version" --verify-tag --title "ccc-backup $version" --notes-file "$out/../notes.md" "$out"/*
}

case ${1:-} in
    make) make_all ;;
    publish) publish ;;
    *)
        echo 'usage: infra/release.sh make|publish' >&2
        exit 2
        ;;
esac
