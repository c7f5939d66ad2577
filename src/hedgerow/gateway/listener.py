"""A port for devices: accepts, counts handshakes, hands each socket to a TLS shell or to who else speaks its protocol.

Accepts per turn of the loop and handshakes in progress are bounded, so that a crowd that comes back at once does not
stop those who are connected; who waits, waits in the kernel's backlog.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

from hedgerow.base.errors import Unusable
from hedgerow.base.log import get_logger
from hedgerow.gateway.entry import UNRECOGNIZED_NAME, Caller, Choose, Entry
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.sockets import AVAILABLE, Sockets
from hedgerow.gateway.tls import TlsShell, prepare

log = get_logger("gateway.listener")

ACCEPTS_PER_TURN: Final = 8
HANDSHAKES: Final = 256  # in progress; while there are that many nobody else is accepted
STEPS_PER_TURN: Final = 4  # of handshakes; one computes about half a millisecond
HANDSHAKE_WITHIN_S: Final = 15.0
CROWDED_WITHIN_S: Final = 2.0  # while nobody else is accepted: who keeps us waiting must not keep everyone out
BACKLOG: Final = 1024
TRIES: Final = 5  # to find a port that is free on every address


class Listener:
    """One port. Made by `listen`."""

    def __init__(
        self, gateway: Gateway, entry: Entry | None, choose: Choose | None, sockets: Sequence[socket.socket]
    ) -> None:
        self.gateway = gateway
        self._entry = entry
        self._choose = choose
        self._servers = sockets
        self._callers: set[Caller] = set()
        self._elsewhere: dict[asyncio.Timeout, float] = {}  # handshakes that others do, with their start
        self._loop = asyncio.get_running_loop()
        self._sockets = Sockets(gateway.outbox) if AVAILABLE else None
        self._shaking: set[TlsShell] = set()
        self._shells: set[TlsShell] = set()
        self._row: deque[TlsShell] = deque()
        self._open = False
        self._starting = 0
        self.closed = False
        self.accepted = 0
        self.failed = 0

    @property
    def ports(self) -> list[int]:
        """The ports, one for each socket."""
        return [one.getsockname()[1] for one in self._servers]

    def start(self) -> None:
        """Accept, unless it does already."""
        if not self._open and not self.closed:
            self._open = True
            for one in self._servers:
                self._loop.add_reader(one.fileno(), self._accept, one)

    def _stop(self) -> None:
        if self._open:
            self._open = False
            for one in self._servers:
                self._loop.remove_reader(one.fileno())

    def _accept(self, server: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            if len(self._shaking) + self._starting >= HANDSHAKES:
                self._stop()
                return
            try:
                client, address = server.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no file descriptors left: try again when a handshake has ended
                log.error("cannot accept", extra={"fields": {"detail": str(error)}})
                self._stop()
                self._loop.call_later(1.0, self.start)
                return
            client.setblocking(False)
            with suppress(OSError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            if self._entry is not None and self._sockets is not None:
                self._sockets.attach(client, self._shell(self._entry), address)
                continue
            self._starting += 1
            self.gateway.spawn(self._attach(client))

    async def _attach(self, client: socket.socket) -> None:
        try:
            if self._entry is not None:
                await self._speak_mqtt(client, self._entry)
            elif self._choose is not None:
                await self._choose_entry(client, self._choose)
        except OSError as error:
            log.info("connection lost at once", extra={"fields": {"detail": str(error)}})
            client.close()
        except Exception:  # our own fault: the task's border says more
            client.close()
            raise
        finally:
            self._starting -= 1
            self._room()

    async def _choose_entry(self, client: socket.socket, choose: Choose) -> None:
        caller = Caller(client, self.gateway.clock.monotonic())
        self._callers.add(caller)
        try:
            hello = await caller.hello()
        finally:
            self._callers.discard(caller)
        entry = await choose(hello)
        if self.closed or entry is None:
            with suppress(OSError):
                client.send(UNRECOGNIZED_NAME)
            client.close()
        elif entry.serve is None:
            await self._speak_mqtt(client, entry)
        else:
            async with asyncio.timeout(HANDSHAKE_WITHIN_S) as deadline:
                self._elsewhere[deadline] = caller.started
                try:
                    await entry.serve(client, entry, hello)
                finally:
                    del self._elsewhere[deadline]

    async def _speak_mqtt(self, client: socket.socket, entry: Entry) -> None:
        if self._sockets is not None:
            self._sockets.attach(client, self._shell(entry), client.getpeername())
        else:  # where there is no epoll, the loop's own transports do
            await self._loop.connect_accepted_socket(partial(self._shell, entry), client)

    def _shell(self, entry: Entry) -> TlsShell:
        made = TlsShell(self, entry, self.gateway.clock.monotonic())
        self._shaking.add(made)
        self._shells.add(made)
        return made

    def wait(self, shell: TlsShell) -> None:
        """The handshake can go on; its computing is bounded per turn, so that it takes its place in a row."""
        if not self._row:
            self._loop.call_soon(self._work)
        self._row.append(shell)

    def _work(self) -> None:
        for _ in range(min(len(self._row), STEPS_PER_TURN)):
            shell = self._row.popleft()
            try:
                shell.step()
            except Exception:  # one client's trouble must not be that of all who wait behind it
                log.exception("a connection failed as it began")
                shell.expire()
        if self._row:
            self._loop.call_soon(self._work)

    def shaken(self, shell: TlsShell) -> None:
        """A handshake is over, well or not."""
        self._shaking.discard(shell)
        self._room()

    def _room(self) -> None:
        """Accept again when half of a crowd is gone."""
        if not self._open and len(self._shaking) + self._starting < HANDSHAKES // 2:
            self.start()

    def gone(self, shell: TlsShell) -> None:
        self._shells.discard(shell)

    def sweep(self) -> None:
        """Once a second: end handshakes that take too long; sooner those that wait for the peer while others wait."""
        now, waiting_for_us = self.gateway.clock.monotonic(), frozenset(self._row)
        within = HANDSHAKE_WITHIN_S if self._open else CROWDED_WITHIN_S
        for shell in tuple(self._shaking):
            taken = now - shell.started
            if taken > HANDSHAKE_WITHIN_S or (taken > within and shell not in waiting_for_us):
                shell.expire()
        for caller in tuple(self._callers):
            if now - caller.started > within:
                caller.expire()
        for deadline, started in tuple(self._elsewhere.items()):
            if now - started > within:
                deadline.reschedule(self._loop.time())

    def close(self) -> None:
        """Accept no more and end what is open, with a word in MQTT 5; repeating does nothing."""
        self._stop()
        self.closed = True
        for one in self._servers:
            one.close()
        for caller in tuple(self._callers):
            caller.expire()
        for shell in tuple(self._shells | self._shaking):
            shell.shut()
        if self._sockets is not None:
            self._sockets.close()

    def statistics(self) -> dict[str, int]:
        """Answer the handshakes in progress and what happened so far."""
        return {"handshakes": len(self._shaking), "accepted": self.accepted, "failed": self.failed}


@asynccontextmanager
async def listen(
    gateway: Gateway,
    how: ssl.SSLContext | Choose,
    *,
    host: str | None = None,
    port: int = 0,
    sockets: Sequence[socket.socket] = (),
) -> AsyncIterator[Listener]:
    """Open the port on the host's addresses (None: all, v4 and v6) and accept until the block ends; sweeps each second.

    `how` is the context of a port for MQTT alone, or says for each client how to go on. With `sockets` (bound) host
    and port are not looked at. Raises Unusable when the port cannot be had. Port 0 is any free one, the same for all
    addresses.
    """
    entry, choose = (Entry(context=prepare(how)), None) if isinstance(how, ssl.SSLContext) else (None, how)
    bound = sockets or (_bound(host, port) if port else _bound_anywhere(host))
    for one in sockets:
        one.listen(BACKLOG)
        one.setblocking(False)
    listener = Listener(gateway, entry, choose, bound)
    listener.start()
    gateway.spawn(_sweep(listener))
    try:
        yield listener
    finally:
        listener.close()


async def _sweep(listener: Listener) -> None:
    while not listener.closed:
        await asyncio.sleep(1.0)
        listener.sweep()


def _bound_anywhere(host: str | None) -> list[socket.socket]:
    """A port that is free on one address may be taken on another: try again."""
    for _ in range(TRIES):
        with suppress(Unusable):
            return _bound(host, 0)
    return _bound(host, 0)


def _bound(host: str | None, port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for family, kind, _, _, address in _addresses(host, port):
            one = socket.socket(family, kind)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            wanted = port or (sockets[0].getsockname()[1] if len(sockets) > 1 else 0)
            one.bind((address[0], wanted, *address[2:]))
            one.listen(BACKLOG)
            one.setblocking(False)
    except OSError as error:
        for one in sockets:
            one.close()
        raise Unusable(f"cannot listen on {host or 'all addresses'} port {port}: {error.strerror or error}") from error
    return sockets


def _addresses(host: str | None, port: int) -> list[tuple[int, int, int, str, tuple[str | int, ...]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    unique: dict[tuple[str | int, ...], tuple[int, int, int, str, tuple[str | int, ...]]] = {}
    for one in found:
        if one[0] == socket.AF_INET6 and not _has_ipv6():
            continue
        unique.setdefault(one[4], one)  # type: ignore[arg-type]  # typeshed's address is a wide union
    return list(unique.values())


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
