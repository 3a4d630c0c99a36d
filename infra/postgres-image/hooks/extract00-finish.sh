#!/bin/sh
# Run by mmdebstrap when the packages are unpacked: does what their maintainer scripts would have done, as far as a
# PostgreSQL server needs it, and removes what it does not need.
set -eu
root=$1
share=$root/usr/share

# Users. 999 is the uid that the official image gives to postgres, so a bind mount suits both.
cp "$share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$share/base-passwd/group.master" "$root/etc/group"
echo 'postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh' >>"$root/etc/passwd"
echo 'postgres:x:999:' >>"$root/etc/group"
cp "$share/libc-bin/nsswitch.conf" "$root/etc/nsswitch.conf"
ln -sf /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"

chroot "$root" ldconfig
chroot "$root" localedef -i en_US -f UTF-8 en_US.UTF-8

rmdir "$root/var/run"
ln -s /run "$root/var/run"

# As in the official image: the server listens on every address of its container, the socket directory and the data
# directory work under any uid.
sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" \
    "$share/postgresql/$PG_MAJOR/postgresql.conf.sample"
install -d -m 1777 -o 999 -g 999 "$root/var/lib/postgresql/data"
chown 999:999 "$root/var/lib/postgresql"
install -d -m 3777 -o 999 -g 999 "$root/run/postgresql"
install -D -m 755 "$(dirname "$0")/../docker-entrypoint.sh" "$root/usr/local/bin/docker-entrypoint.sh"

# Licences stay (share/doc/*/copyright), the rest of the documentation and the translations go; so do apt's sources and
# options, which are this machine's and may hold the password of a proxy.
find "$share/doc" -mindepth 1 ! -type d ! -name copyright -delete
find "$share/doc" -type d -empty -delete
rm -rf "$share/man" "$share/info" "$share/locale" "$share/i18n" "$share/lintian" "$share/bug" \
    "$share/bash-completion" "$share/postgresql/$PG_MAJOR/man" \
    "$root/usr/lib/postgresql/$PG_MAJOR/lib/bitcode" "$root/usr/lib/postgresql/$PG_MAJOR/lib/pgxs" \
    "$root/usr/lib/postgresql/$PG_MAJOR/lib/llvmjit"* "$root/usr/include" \
    "$root/var/lib/dpkg" "$root/var/lib/apt" "$root/var/cache/apt" "$root/etc/dpkg" \
    "$root/etc/apt/preferences.d/experimental" "$root/etc/apt/sources.list.d" "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/hostname" "$root/etc/resolv.conf"
