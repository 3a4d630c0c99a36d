#!/usr/bin/env bash
# Makes an RPM package of a binary, and prints its path. It needs rpmbuild, which Debian has, too (rpm).
#
#   infra/package-rpm.sh BINARY [DIRECTORY]      DIRECTORY is target/packages unless said
#
# COMPRESSION is rpm's name of one, such as w19.zstdio. The package asks for the libraries that the binary was linked with;
# a static one needs none.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
binary=${1:?usage: infra/package-rpm.sh BINARY [DIRECTORY]}
out=${2:-$root/target/packages}

version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022

strip --strip-all -o "$work/ccc-backup" -- "$binary"
chmod 755 "$work/ccc-backup"
DESTDIR=$work/stage PREFIX=/usr "$root/infra/install.sh" "$work/ccc-backup"
gzip -9 --no-name "$work"/stage/usr/share/man/man1/*.1

rpmbuild -bb --quiet \
    --define "_topdir $work/rpm" --define "stage $work/stage" --define "package_version $version" \
    --define "_binary_payload ${COMPRESSION:-w9.xzdio}" \
    --define 'source_date_epoch_from_changelog 0' --define 'use_source_date_epoch_as_buildtime 1' \
    --define '_buildhost localhost' \
    "$root/infra/package/rpm/ccc-backup.spec" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
mkdir -p "$out"
cp "$work"/rpm/RPMS/*/*.rpm "$out/"
echo "$out/$(basename "$work"/rpm/RPMS/*/*.rpm)"
