"""A server of object storage on this machine: SeaweedFS, as the tests have it."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from settings import ROOT, Stop
from source import free_port

WEED = ROOT / ".venv/bin/weed"
RCLONE = ROOT / ".venv/bin/rclone"
KEY, SECRET = "bench", "bench-secret"
CONFIG = (
    '{"identities":[{"name":"bench","actions":["Admin","Read","Write","List","Tagging"],'
    f'"credentials":[{{"accessKey":"{KEY}","secretKey":"{SECRET}"}}]}}]}}'
)


class Storage:
    """The server with one bucket; it stops, and its files go, when the block ends."""

    def __init__(self, work):
        self.dir = work / "storage"
        self.process = None

    def __enter__(self):
        for program in (WEED, RCLONE):
            if not program.exists():
                raise Stop(f"no {program}: make setup installs it")
        (self.dir / "data").mkdir(parents=True)
        (self.dir / "s3.json").write_text(CONFIG, encoding="ascii")
        self.port = free_port()
        self.inner = [free_port() for _ in range(4)]
        command = [WEED, "-logtostderr", "server", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]
        command += ["-master.volumeSizeLimitMB=64", "-volume.max=0", "-s3.config=s3.json", f"-s3.port={self.port}"]
        command += ["-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += ["-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock"]
        command += [f"-{name}.port={free_port()}" for name in ("master", "volume", "filer")]
        command += [f"-{name}.port.grpc={port}" for name, port in zip(("s3", "master", "volume", "filer"), self.inner)]
        env = {**os.environ, "TMPDIR": str(self.dir)}
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.dir,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        patience = time.monotonic() + 60
        while self.rclone("mkdir", "s3:bench").returncode:
            if time.monotonic() > patience:
                self.__exit__()
                raise Stop("the S3 server did not start")
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
        # Sockets of its own stay when it is killed.
        for port in self.inner:
            for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
                left.unlink()

    def rclone(self, *arguments):
        """Runs rclone, whose remote `s3:` this server is."""
        env = {
            **os.environ,
            **self.env,
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_S3_TYPE": "s3",
            "RCLONE_CONFIG_S3_PROVIDER": "SeaweedFS",
            "RCLONE_CONFIG_S3_ENDPOINT": self.env["AWS_ENDPOINT_URL"],
            "RCLONE_CONFIG_S3_ENV_AUTH": "true",
        }
        return subprocess.run([RCLONE, *arguments], env=env, capture_output=True, check=False)

    def empty(self, place):
        """Removes what lies below a place of the bucket."""
        self.rclone("purge", f"s3:bench/{place}")
