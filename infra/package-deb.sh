#!/usr/bin/env bash
# Makes a Debian package of a binary, and prints its path. It needs dpkg-deb, strip and readelf.
#
#   infra/package-deb.sh BINARY [DIRECTORY]      DIRECTORY is target/packages unless said
#
# MAINTAINER, "Name <address>", is who hands it out; COMPRESSION is xz unless set, or what else dpkg-deb takes. The times in it are SOURCE_DATE_EPOCH, where that is set, so that the
# same binary makes the same package.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
binary=${1:?usage: infra/package-deb.sh BINARY [DIRECTORY]}
out=${2:-$root/target/packages}
maintainer=${MAINTAINER:-ccc-backup <root@localhost>}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(date +%s)}

version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")-1
architecture=$(dpkg --print-architecture)
name=ccc-backup_${version}_$architecture.deb

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage doc=$work/stage/usr/share/doc/ccc-backup
umask 022

strip --strip-all -o "$work/ccc-backup" -- "$binary"
chmod 755 "$work/ccc-backup"
DESTDIR=$stage PREFIX=/usr ZSH_DIR=share/zsh/vendor-completions "$root/infra/install.sh" "$work/ccc-backup"

# As the policy wants it: licences in one file, changelogs and man pages compressed.
rm "$doc"/LICENSE-*
install -m 644 "$root/infra/package/deb/copyright" "$doc/copyright"
install -D -m 644 "$root/infra/package/deb/lintian-overrides" "$stage/usr/share/lintian/overrides/ccc-backup"
mv "$doc/CHANGELOG.md" "$doc/changelog"
cat >"$doc/changelog.Debian" <<END
ccc-backup ($version) unstable; urgency=medium

  * See changelog.gz.

 -- $maintainer  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
END
gzip -9 --no-name "$doc/changelog" "$doc/changelog.Debian" "$stage"/usr/share/man/man1/*.1

# The libraries that the binary was linked with; a static one needs none.
depends=passwd
if readelf --dynamic "$work/ccc-backup" | grep -q 'NEEDED.*\[libc\.so\.6\]'; then
    glibc=$(readelf --version-info --wide "$work/ccc-backup" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)
    depends="libc6 (>= ${glibc#GLIBC_}), libgcc-s1, passwd"
fi

mkdir "$stage/DEBIAN"
cat >"$stage/DEBIAN/control" <<END
Package: ccc-backup
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$stage" | cut -f1)
Depends: $depends
Recommends: ca-certificates, postgresql-client
Suggests: docker.io | podman, postgresql
Section: database
Priority: optional
Description: PostgreSQL backups that are proven to restore
 Makes backups of a PostgreSQL database by pg_dump and proves that they restore:
 each is restored into a throwaway PostgreSQL, in a container or by the
 machine's own programs, and every row of what came back is compared with what
 went in. It also restores into servers in use, with a proof before the switch.
 .
 The package makes an unprivileged user and installs systemd timers, of which
 none is enabled.
END
install -m 755 "$root"/infra/package/deb/{postinst,prerm,postrm} "$stage/DEBIAN/"

find "$stage" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$out"
dpkg-deb --root-owner-group -Z"${COMPRESSION:-xz}" --build "$stage" "$out/$name" >/dev/null
echo "$out/$name"
