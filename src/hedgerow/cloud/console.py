"""Starts the web console's process, starts it again when it ends, and ends it with the cloud.

The console is a stranger to the cloud: it is told where the API is and gets no credentials. It ends when its standard
input closes, so a cloud that is killed leaves none behind. Its port is chosen at the first start and stays.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger

log = get_logger("cloud.console")

START_S: Final = 30.0
STOP_S: Final = 4.0
BACK_OFF_S: Final = (0.5, 30.0)  # the first pause, and the longest
STEADY_S: Final = 60.0  # after that long the next pause is the first again
KEPT: Final = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where devices connect, and what they check the cloud against."""

    host: str
    mqtt_port: int
    https_port: int
    ca_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the console listens, and by which host its URL names it; with a certificate and its key it speaks TLS."""

    host: str
    port: int
    url_host: str
    certificate: tuple[Path, Path] | None = None

    def flags(self) -> list[str]:
        """Answer what the process is told of it."""
        flags = ["--host", self.host, "--port", str(self.port), "--url-host", self.url_host]
        if self.certificate is not None:
            certificate, key = self.certificate
            flags += ["--tls-certificate", str(certificate.absolute()), "--tls-key", str(key.absolute())]
        return flags


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the process is started with."""

    api_url: str
    region: str
    ca_file: Path | None
    place: Place
    models: Path
    devices: Doors

    def command(self, ready_fd: int) -> list[str]:
        ca = ["--ca-file", str(self.ca_file.absolute())] if self.ca_file is not None else []
        return [
            *(sys.executable, "-m", "hedgerow.console", "--until-stdin-closes", "--ready-fd", str(ready_fd)),
            *("--api-url", self.api_url, "--region", self.region, "--models", str(self.models.absolute()), *ca),
            *self.place.flags(),
            *("--device-host", self.devices.host, "--device-ca-file", str(self.devices.ca_file.absolute())),
            *("--device-mqtt-port", str(self.devices.mqtt_port)),
            *("--device-https-port", str(self.devices.https_port)),
        ]


class Console:
    """The console's process. `url` is where it accepts, and stays; `starts` counts; `pid` is None while it is away."""

    def __init__(self, pid: int) -> None:
        self.pid: int | None = pid
        self.starts = 1
        self.url = ""
        self._said: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def ready(self) -> str:
        """Wait until it accepts, and answer its URL. Raises Unavailable, with its words, when it does not in 30 s."""
        return str((await asyncio.shield(self._said))["url"])

    def told(self, ready: dict[str, Any]) -> None:
        """It accepts."""
        self.url = ready["url"]
        self._said.set_result(ready)

    def failed(self, error: Unavailable) -> None:
        """It did not start."""
        self._said.set_exception(error)
        self._said.exception()  # whoever asks is told; nobody has to ask


@asynccontextmanager
async def running_console(
    *, api_url: str, region: str, ca_file: Path | None, place: Place, models: Path, devices: Doors
) -> AsyncIterator[Console]:
    """Run the console while the context is open. It is begun when this yields; `ready` says when it accepts."""
    told = _Told(api_url=api_url, region=region, ca_file=ca_file, place=place, models=models, devices=devices)
    process, reading = await _spawned(told)
    console = Console(process.pid)
    keeper = _Keeper(told, console, process)
    try:
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(keeper.keep(reading))
            try:
                yield console
            finally:
                keeping.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await keeping
                await _ended(keeper.process)
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


class _Keeper:
    def __init__(self, told: _Told, console: Console, process: asyncio.subprocess.Process) -> None:
        self._told, self._console, self.process = told, console, process

    async def keep(self, reading: int) -> None:
        """Wait until the process accepts; start it again whenever it ends."""
        try:
            ready = await _accepting(self.process, reading)
        except Unavailable as error:
            self._console.failed(error)
            return
        self._console.told(ready)
        self._told = replace(self._told, place=replace(self._told.place, port=ready["port"]))
        loop, pause = asyncio.get_running_loop(), BACK_OFF_S[0]
        while True:
            begun = loop.time()
            status = await self.process.wait()
            if loop.time() - begun > STEADY_S:
                pause = BACK_OFF_S[0]
            fields = {"status": status, "again_in_s": pause}
            log.warning("the console ended and is started again", extra={"fields": fields})
            self._console.pid = None
            while True:
                await asyncio.sleep(pause)
                pause = min(pause * 2, BACK_OFF_S[1])
                try:
                    self.process, reading = await _spawned(self._told)
                    await _accepting(self.process, reading)
                    break
                except (Unavailable, OSError) as error:
                    log.warning("the console did not start", extra={"fields": {"why": str(error), "again_in_s": pause}})
            self._console.starts += 1
            self._console.pid = self.process.pid


async def _spawned(told: _Told) -> tuple[asyncio.subprocess.Process, int]:
    """Start the process; answer it and the descriptor on which it will say that it accepts."""
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *told.command(writing),
            stdin=asyncio.subprocess.PIPE,  # never written to; it closes when we end
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the cloud, which ends the console in its turn
            pass_fds=(writing,),
            env=_environment(),
            cwd="/",
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return process, reading


async def _accepting(process: asyncio.subprocess.Process, reading: int) -> dict[str, Any]:
    """Wait until the process accepts, and answer what it says then; nothing is left of one that does not."""
    try:
        async with asyncio.timeout(START_S):
            line = await _line(reading)
        if not line:
            raise Unavailable("the console ended before it was ready; its last words are above")
        ready: dict[str, Any] = json.loads(line)
    except TimeoutError:
        await _ended(process)
        raise Unavailable(f"the console was not ready within {START_S:g} s") from None
    except BaseException:
        await _ended(process)
        raise
    return ready


async def _line(descriptor: int) -> bytes:
    """Answer the line that the process says when it is ready, b"" when it ends without one. Closes the descriptor."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    try:
        return await reader.readline()
    finally:
        transport.close()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End the process: by closing its input, and by force when that does not help."""
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(asyncio.shield(process.wait()), STOP_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _environment() -> dict[str, str]:
    """Answer an environment made from scratch: nothing of the cloud's secrets, few arenas for malloc."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}
