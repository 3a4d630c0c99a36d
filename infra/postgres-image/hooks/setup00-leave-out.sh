#!/bin/sh
# Run by mmdebstrap before it asks apt which packages are needed. It tells apt that some are there already: what the
# server's package depends on and a server in a throwaway container never uses. That is nearly half of the download and
# more than half of the image. The server looks for its JIT provider at run time and works without it.
set -eu
root=$1

for package in \
    "$(apt-cache depends "postgresql-$PG_MAJOR" | sed -n 's/.* \(libllvm[0-9.]*\).*/\1/p')" \
    postgresql-common postgresql-client-common ssl-cert debconf dpkg libc-l10n; do
    [ -n "$package" ] || continue
    cat >>"$root/var/lib/dpkg/status" <<END
Package: $package
Status: install ok installed
Maintainer: nobody <nobody@localhost>
Architecture: $(dpkg --print-architecture)
Multi-Arch: same
Version: 999:0
Description: left out of the image

END
done

# Of experimental, PostgreSQL and nothing that it stands on.
cat >"$root/etc/apt/preferences.d/experimental" <<END
Package: postgresql-* libpq5
Pin: release a=experimental
Pin-Priority: 900
END
