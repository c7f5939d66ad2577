"""Starting the console's process, in real: what it is told, what it is not told, and how it fails."""

import asyncio
import os
import socket
import ssl
from pathlib import Path

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.cloud import console as starting
from hedgerow.cloud.console import Console, Doors, Place, running_console
from tests.support.openssl import OpenSsl

MODELS = Path(__file__).parents[3] / "src" / "hedgerow" / "core" / "wire" / "models"

pytestmark = pytest.mark.slow


def doors() -> Doors:
    return Doors(host="localhost", mqtt_port=8883, https_port=8443, ca_file=Path("/dev/null"))


async def with_console(port: int = 0) -> tuple[Console, bytes, bytes]:
    """Run it once; answer it, its environment and its command line."""
    async with running_console(
        api_url="http://127.0.0.1:1",
        region="us-east-1",
        ca_file=None,
        place=Place(host="127.0.0.1", port=port, url_host="127.0.0.1"),
        models=MODELS,
        devices=doors(),
    ) as console:
        assert await console.ready() == console.url
        proc = Path(f"/proc/{console.pid}")
        return console, (proc / "environ").read_bytes(), (proc / "cmdline").read_bytes()


def test_it_says_where_it_listens_and_is_gone_afterwards() -> None:
    console, _, _ = asyncio.run(with_console())

    assert console.url.startswith("http://127.0.0.1:")
    assert not Path(f"/proc/{console.pid}").exists()


def test_it_is_told_nothing_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_MASTER_KEY", "top-secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "top-secret")

    _, environment, command = asyncio.run(with_console())

    assert b"top-secret" not in environment + command
    assert b"HEDGEROW" not in environment


def test_with_a_certificate_its_url_is_https_and_has_the_name_that_it_is_told(tmp_path: Path) -> None:
    pair = OpenSsl(tmp_path).alone("/CN=localhost")

    async def started() -> str:
        place = Place(host="127.0.0.1", port=0, url_host="cloud.example", certificate=(pair.certificate, pair.key))
        async with running_console(
            api_url="http://127.0.0.1:1", region="us-east-1", ca_file=None, place=place, models=MODELS, devices=doors()
        ) as console:
            url = await console.ready()
            trust = ssl.create_default_context(cafile=pair.certificate)
            trust.check_hostname = False
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]), ssl=trust)
            writer.close()
            await writer.wait_closed()
            return url

    assert asyncio.run(started()).startswith("https://cloud.example:")


def test_a_port_that_is_taken_fails_the_start_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(Unavailable, match="ended before it was ready"):
            asyncio.run(with_console(port))


def test_it_is_started_again_on_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "BACK_OFF_S", (0.05, 1.0))

    async def again() -> tuple[str, int]:
        async with running_console(
            api_url="http://127.0.0.1:1",
            region="us-east-1",
            ca_file=None,
            place=Place(host="127.0.0.1", port=0, url_host="127.0.0.1"),
            models=MODELS,
            devices=doors(),
        ) as console:
            url = await console.ready()
            assert console.pid is not None
            os.kill(console.pid, 9)
            async with asyncio.timeout(20):
                while console.starts < 2:
                    await asyncio.sleep(0.02)
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
            writer.close()
            await writer.wait_closed()
            assert console.url == url
            return url, console.starts

    _, starts = asyncio.run(again())

    assert starts == 2
