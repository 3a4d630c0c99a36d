#!/bin/sh
# Run by mmdebstrap when the packages are unpacked: does what their maintainer scripts would have done, as far as the tool
# and its servers need it, puts the tool in, and removes what neither needs.
set -eu
root=$1
share=$root/usr/share

cp "$share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$share/base-passwd/group.master" "$root/etc/group"
echo 'ccc-backup:x:65532:65532:ccc-backup:/var/lib/ccc-backup:/usr/sbin/nologin' >>"$root/etc/passwd"
echo 'ccc-backup:x:65532:' >>"$root/etc/group"
cp "$share/libc-bin/nsswitch.conf" "$root/etc/nsswitch.conf"
ln -sf /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"
cat "$share"/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"

chroot "$root" ldconfig
gunzip "$share/i18n/charmaps/UTF-8.gz"
chroot "$root" localedef -i en_US -f UTF-8 en_US.UTF-8

rmdir "$root/var/run"
ln -s /run "$root/var/run"

# Nothing in it changes the user.
find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +

install -D -m 755 ccc-backup "$root/usr/bin/ccc-backup"
# Backups, and the working directory. Any user may write where nothing is mounted.
install -d -m 1777 "$root/var/lib/ccc-backup"

# Licences stay (share/doc/*/copyright), the rest of the documentation and the translations go; so do apt's sources and
# options, which are the building machine's and may hold the password of a proxy.
find "$share/doc" -mindepth 1 ! -type d ! -name copyright -delete
find "$share/doc" -type d -empty -delete
rm -rf "$share/man" "$share/info" "$share/locale" "$share/i18n" "$share/lintian" "$share/bug" \
    "$share/bash-completion" "$share"/postgresql/*/man \
    "$root"/usr/lib/postgresql/*/lib/bitcode "$root"/usr/lib/postgresql/*/lib/pgxs \
    "$root"/usr/lib/postgresql/*/lib/llvmjit* "$root/usr/include" \
    "$root/var/lib/dpkg" "$root/var/lib/apt" "$root/var/cache/apt" "$root/etc/dpkg" \
    "$root/etc/apt/sources.list.d" "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/hostname" "$root/etc/resolv.conf"
