"""The procedure of the first description of this tool, as a program to measure.

    spec_procedure.py PLAIN_DUMP IMAGE CONTAINER

It starts the image with its own entrypoint and waits for pg_isready, copies the dump into the
container, restores it there with psql, and asks each of the twelve checks with a psql of its own.
Where the description leaves a choice it is made in the procedure's favour: it asks for readiness
ten times a second, and publishes no port.
"""

import os
import secrets
import subprocess
import sys
import time

DATABASE = "restore_test"
TABLES = ("users", "organizations", "content_jobs", "content_artifacts", "subscriptions")
EXISTS = "SELECT EXISTS (SELECT FROM information_schema.tables WHERE table_name = '{}');"
READY_SECONDS = 60


def docker(*arguments, env=None):
    done = subprocess.run(
        ["docker", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def must(*arguments, env=None):
    code, out, err = docker(*arguments, env=env)
    if code != 0:
        raise SystemExit(f"docker {' '.join(arguments[:2])}: {err}")
    return out, err


def psql(container, *arguments):
    return must("exec", "-u", "postgres", container, "psql", "-X", "-q", *arguments)


def wait(container):
    deadline = time.monotonic() + READY_SECONDS
    # By TCP, because the official image's entrypoint first starts a server that only listens on the
    # socket, and stops it again.
    while docker("exec", container, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres")[0] != 0:
        if time.monotonic() > deadline:
            raise SystemExit("PostgreSQL did not start")
        time.sleep(0.1)


def restore(container, dump):
    must("cp", dump, f"{container}:/tmp/backup.sql")
    # The copy keeps owner and mode, and psql runs as another user.
    must("exec", "-u", "root", container, "chmod", "644", "/tmp/backup.sql")
    must("exec", "-u", "postgres", container, "createdb", DATABASE)
    _, messages = psql(container, "-o", "/dev/null", "-d", DATABASE, "-f", "/tmp/backup.sql")
    errors = [line for line in messages.splitlines() if "ERROR" in line or "FATAL" in line]
    if errors:
        raise SystemExit("\n".join(errors[:10]))


def check(container):
    def answer(query):
        return psql(container, "-A", "-t", "-d", DATABASE, "-c", query)[0]

    for table in ("alembic_version", *TABLES):
        if answer(EXISTS.format(table)) != "t":
            raise SystemExit(f"{table} is missing")
    for table in TABLES:
        print(table, int(answer(f"SELECT COUNT(*) FROM {table};")))
    if not answer("SELECT version_num FROM alembic_version LIMIT 1;"):
        raise SystemExit("no migration")


def main():
    dump, image, container = sys.argv[1:]
    env = {**os.environ, "POSTGRES_PASSWORD": secrets.token_hex(16)}
    must("run", "--detach", "--name", container, "--env", "POSTGRES_PASSWORD", image, env=env)
    try:
        wait(container)
        restore(container, dump)
        check(container)
    finally:
        docker("rm", "--force", "--volumes", container)


if __name__ == "__main__":
    main()
