# Runs a client tool of PostgreSQL, "$@", after find-server.sh. The password comes on stdin, so that no
# inspection of the container shows it.
IFS= read -r PGPASSWORD || true
if [ -n "$PGPASSWORD" ]; then export PGPASSWORD; else unset PGPASSWORD; fi
exec "$@" </dev/null
