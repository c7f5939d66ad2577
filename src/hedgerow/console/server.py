"""The console's process: NiceGUI behind the guard, on a socket of its own, ready when it accepts.

Without Internet: NiceGUI serves its scripts, styles and fonts itself. Nothing is stored: NiceGUI's storage is not used.
"""

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import uvicorn

from hedgerow.base.clock import SystemClock
from hedgerow.base.errors import Unusable
from hedgerow.base.files import RealFiles
from hedgerow.base.log import get_logger
from hedgerow.base.sockets import bind
from hedgerow.console.api import Api
from hedgerow.console.calls import Cloud
from hedgerow.console.certificate import Certificate
from hedgerow.console.desk import Desk
from hedgerow.console.guard import Guard
from hedgerow.console.live import MqttLive
from hedgerow.console.model import Credentials
from hedgerow.console.onboarding import Doors, Onboarding
from hedgerow.console.patience import Patience
from hedgerow.console.sessions import Sessions, Watches
from hedgerow.console.watch import Watch

log = get_logger("console")

WORKERS: Final = 6
STOP_S: Final = 5.0
BACKLOG: Final = 128
CONNECTIONS: Final = 500  # whoever comes then is answered 503
MAX_MESSAGE: Final = 1024 * 1024  # of a page's WebSocket


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process is told at its start."""

    api_url: str  # the cloud's API
    region: str  # the cloud's region
    ca_file: str | None = None  # what an https API is checked against
    host: str = "127.0.0.1"  # where to listen
    port: int = 0  # 0: any free port
    url_host: str | None = None  # the host in our URL; None: `host`
    tls_certificate: Path | None = None  # with its chain; it is read again when it changes; None: plain HTTP
    tls_key: Path | None = None  # its key
    device_host: str | None = None  # where devices connect; None: as the cloud's DescribeEndpoint says
    device_mqtt_port: int = 8883  # their port for MQTT
    device_https_port: int = 8443  # their port for HTTPS
    device_ca_file: Path | None = None  # the CA that devices check the cloud against
    models: Path | None = None  # a folder of service models for boto3, with the service `hedgerow`
    ready_fd: int | None = None  # where to write one line of JSON when ready
    ready_file: Path | None = None  # a file with the same
    until_stdin_closes: bool = False  # end when standard input ends: the starter is gone


class Server(uvicorn.Server):
    """uvicorn that says when it accepts."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()


def run(settings: Settings) -> None:
    """Serve until a signal, or until standard input closes; raise Unusable when the port cannot be had."""
    certificate = _certificate(settings)
    listeners = _bound(settings)
    try:
        asyncio.run(_serve(settings, listeners, certificate))
    finally:
        for each in listeners:
            each.close()


def _certificate(settings: Settings) -> Certificate | None:
    if settings.tls_certificate is None and settings.tls_key is None:
        return None
    if settings.tls_key is None:
        raise Unusable("--tls-certificate needs --tls-key: the certificate's key")
    if settings.tls_certificate is None:
        raise Unusable("--tls-key needs --tls-certificate: the key's certificate")
    return Certificate(settings.tls_certificate, settings.tls_key)


def _bound(settings: Settings) -> tuple[socket.socket, ...]:
    try:
        listeners = bind(settings.host, settings.port)
    except (OSError, OverflowError) as error:
        raise Unusable(f"the console cannot listen on {settings.host} port {settings.port}: {error}") from error
    for each in listeners:
        each.listen(BACKLOG)
    return listeners


async def _serve(settings: Settings, listeners: tuple[socket.socket, ...], certificate: Certificate | None) -> None:
    port = listeners[0].getsockname()[1]
    async with _application(settings, port, certificate) as application:
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            http="h11",  # which bounds a request's head
            limit_concurrency=CONNECTIONS,
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
            lifespan="on",
            timeout_graceful_shutdown=2,
            server_header=False,
        )
        config.load()
        config.ssl = certificate.context if certificate is not None else None
        server = Server(config, partial(_say_ready, settings, port))
        if settings.until_stdin_closes:
            _end_with_stdin(server)
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(Patience().keep(server.server_state.connections))
            await server.serve(sockets=list(listeners))
            waiting.cancel()


@asynccontextmanager
async def _application(settings: Settings, port: int, certificate: Certificate | None) -> AsyncIterator[Any]:
    """Build everything: the cloud, sessions, watches, pages, and the guard before them."""
    clock = SystemClock()
    cloud = Cloud(api_url=settings.api_url, region=settings.region, ca_file=settings.ca_file, models=settings.models)
    sessions = Sessions(clock=clock)
    workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="calls")
    try:
        async with asyncio.TaskGroup() as tasks:
            watches = Watches(make=partial(_watch, cloud, _doors(settings), clock, workers), tasks=tasks, clock=clock)
            house = [tasks.create_task(watches.keep_house(sessions))]
            if certificate is not None:
                house.append(tasks.create_task(certificate.keep()))
            yield Guard(
                _pages(sessions, watches, clock),
                sessions=sessions,
                watches=watches,
                redeem=cloud.redeem,
                workers=workers,
                cookie=f"hedgerow-console-{port}",  # cookies know hosts, not ports
            )
            for each in house:
                each.cancel()
            watches.end_all()
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


def _watch(
    cloud: Cloud, doors: Doors, clock: SystemClock, workers: ThreadPoolExecutor, credentials: Credentials
) -> Watch:
    live = MqttLive(api_url=cloud.api_url, region=cloud.region, ca_file=cloud.ca_file, credentials=credentials)
    api = Api(cloud, credentials)
    desk = Desk(Onboarding(api, doors=doors, region=cloud.region), workers)
    return Watch(api=api, live=live, clock=clock, workers=workers, desk=desk)


def _doors(settings: Settings) -> Doors:
    try:
        ca = settings.device_ca_file.read_text("ascii") if settings.device_ca_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise Unusable(f"cannot read {settings.device_ca_file}: {error}") from error
    return Doors(
        host=settings.device_host,
        mqtt_port=settings.device_mqtt_port,
        https_port=settings.device_https_port,
        ca_pem=ca,
    )


def _pages(sessions: Sessions, watches: Watches, clock: SystemClock) -> Any:
    from fastapi import FastAPI
    from nicegui import ui

    from hedgerow.console.actions import Actions
    from hedgerow.console.pages import device, faults, fleet, onboarding
    from hedgerow.console.pages.frame import Console

    console = Console(sessions=sessions, watches=watches, clock=clock)
    for each in (fleet, device, faults, onboarding):
        each.add(console)
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    Actions(watches=watches, clock=clock).add(application)
    ui.run_with(
        application,
        title="Hedgerow",
        favicon=(files("hedgerow.console") / "assets" / "favicon.svg").read_text("utf-8"),
        dark=None,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        show_welcome_message=False,
        message_history_length=100,
        storage_secret=None,
        reconnect_timeout=10.0,
    )
    return application


def _say_ready(settings: Settings, port: int) -> None:
    host = settings.url_host or settings.host
    scheme = "http" if settings.tls_certificate is None else "https"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    said = json.dumps({"url": url, "port": port, "pid": os.getpid()}).encode() + b"\n"
    if settings.ready_fd is not None:
        os.write(settings.ready_fd, said)
        os.close(settings.ready_fd)
    if settings.ready_file is not None:
        RealFiles().write_durably(settings.ready_file, said)
    log.info("the console accepts", extra={"fields": {"url": url}})


def _end_with_stdin(server: uvicorn.Server) -> None:
    """End when the starter does, however it ended: its end of our standard input closes with it."""

    def wait() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        server.should_exit = True
        time.sleep(STOP_S)
        os._exit(0)  # the loop did not get there by itself

    threading.Thread(target=wait, name="stdin", daemon=True).start()
