# Puts the server's programs on the PATH where the image leaves that out.
if ! command -v initdb >/dev/null; then
    for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/*/postgresql/bin; do
        if [ -x "$bin/initdb" ]; then PATH=$bin:$PATH; fi
    done
fi
