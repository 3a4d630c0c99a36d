#!/bin/sh
# Run by mmdebstrap before it asks apt which packages are needed. It tells apt that some are there already: what the
# packages of the image depend on and a tool in a container never uses. PostgreSQL looks for its JIT provider at run time
# and works without it; the certificates are put together by the other hook.
set -eu

for package in libllvm14 libllvm15 libllvm16 libllvm17t64 libllvm18 libllvm19 libllvm20 \
    postgresql-common postgresql-client-common ssl-cert debconf dpkg libc-l10n openssl perl-base; do
    cat >>"$1/var/lib/dpkg/status" <<END
Package: $package
Status: install ok installed
Maintainer: nobody <nobody@localhost>
Architecture: $(dpkg --print-architecture)
Multi-Arch: same
Version: 999:0
Description: left out of the image

END
done
