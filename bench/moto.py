"""A moto server beside ours, as a process on one core. It is installed by `make bench`, into `build/bench`."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.server import Server, alone, session_of
from hedgerow.base.sockets import bind

MOTO = Path(__file__).parents[1] / "build" / "bench" / "bin" / "python"


@contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """Run one; its log goes to the folder."""
    if not MOTO.exists():
        sys.exit("moto is not installed: `make bench` installs it into build/bench")
    (one,) = bind("127.0.0.1", 0)
    port = int(one.getsockname()[1])
    one.close()
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(
            [MOTO, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    try:
        server = Server("moto", process.pid, session_of("eu-central-1", "AKIDEXAMPLE", "example"), port)
        _until_answers(server.client())
        alone(process.pid)
        yield server
    finally:
        process.terminate()
        process.wait(10)


def moto_version() -> str:
    asked = [MOTO, "-c", "import moto; print(moto.__version__)"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _until_answers(client: Any) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            client.list_things()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
