"""The cloud process: build, say that it is ready, wait for a signal, close."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hedgerow.base import log as logs
from hedgerow.base.collector import collect_rarely
from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.base.files import RealFiles
from hedgerow.base.log import get_logger
from hedgerow.cloud.build import Cloud, build
from hedgerow.cloud.hosts import in_url
from hedgerow.cloud.ready import NAME, Ready
from hedgerow.cloud.settings import CloudSettings

log = get_logger("cloud")

SWITCH_INTERVAL_S: Final = 0.0005  # the gateway's loop is not held up by a thread that computes


def run(settings: CloudSettings) -> None:
    """Run a cloud in the foreground until SIGTERM or SIGINT; raise Unusable when it cannot start."""
    logs.configure(settings.log_level)
    os.umask(0o077)  # databases and functions' folders are nobody else's, wherever the data folder is
    _raise_file_limit()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings))
    except BaseExceptionGroup as group:
        unusable, rest = group.split(Unusable)
        if unusable is None or rest is not None:
            raise
        raise _first(unusable) from None  # by `except*` it would come in a group again, before Python 3.11.4


def _raise_file_limit() -> None:
    """Let the process hold as many sockets as the system allows it: each connection is a file descriptor."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _first(errors: BaseExceptionGroup[Unusable]) -> Unusable:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Answer uvloop's when it is installed, None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _serve(settings: CloudSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with build(settings, os.environ) as cloud:
        collect_rarely()
        _say_ready(settings, cloud)
        await stop.wait()
        log.info("the cloud stops")


def _say_ready(settings: CloudSettings, cloud: Cloud) -> None:
    ready = Ready(
        api_url=cloud.api_url,
        console_url=cloud.console_url,
        mqtt_port=cloud.mqtt_port,
        https_port=cloud.https_port,
        alpn_port=cloud.alpn_port,
        ca_file=str(cloud.ca_file),
        account=cloud.account,
        region=cloud.region,
        access_key_id=cloud.access_key_id,
        secret_access_key=cloud.secret_access_key,
        pid=os.getpid(),
    )
    places = [settings.data.absolute() / NAME, *([settings.ready_file] if settings.ready_file else [])]
    try:
        ready.write(RealFiles(), *(Path(place) for place in places))
    except Unavailable as error:
        raise Unusable(f"the ready file cannot be written: {error}") from error
    log.info("the cloud is ready", extra={"fields": {"api": cloud.api_url, "mqtt_port": cloud.mqtt_port}})
    data = settings.data
    host = in_url(cloud.host)
    by_alpn = "" if cloud.alpn_port is None else f"\n  both     {host}:{cloud.alpn_port} (by ALPN)"
    sys.stdout.write(
        f"""Hedgerow is ready: account {cloud.account}, region {cloud.region}
  API      {cloud.api_url}
  MQTT     {host}:{cloud.mqtt_port} (mutual TLS)
  HTTPS    {host}:{cloud.https_port} (devices){by_alpn}
  console  {cloud.console_url or "not started"}

What to do next, in another terminal:
  eval "$(hedgerow cloud env --data {data})"   point the AWS tools at this cloud
  hedgerow device create my-device             a key, a certificate and a mosquitto_pub line
  hedgerow mqtt sub '#'                        see what devices say
  hedgerow console --data {data}   a link that signs you in to the console
"""
    )
    sys.stdout.flush()
