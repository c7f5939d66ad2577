"""The composition root of an edge: everything that it is made of, in order.

`build` opens folder, lock, log and state; `Edge.run` enrols when that is still to be done, then runs what a device is
made of until it is stopped.
"""

import asyncio
import contextlib
import logging
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hedgerow.base.clock import Clock, SystemClock
from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.base.files import Files, RealFiles
from hedgerow.base.ids import Ids, RandomIds
from hedgerow.base.log import get_logger
from hedgerow.edge import configuration
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.closed import close_keys
from hedgerow.edge.configuration import Configuration
from hedgerow.edge.enrolment import USED, Way, enrolled, known_identity, tried
from hedgerow.edge.handed import FOLDER
from hedgerow.edge.identity import Identity
from hedgerow.edge.keys import Keys
from hedgerow.edge.layout import Layout
from hedgerow.edge.notice import Console, log_to_files
from hedgerow.edge.pkcs11.settings import exposed
from hedgerow.edge.placeholders import filled_in
from hedgerow.edge.provisioning import Enrolment
from hedgerow.edge.ready_made import ReadyMade
from hedgerow.edge.rotation import current
from hedgerow.edge.settings import EdgeSettings, configuration_text
from hedgerow.edge.state import State, recall
from hedgerow.edge.used_claim import removed
from hedgerow.edge.vending import VendingEnrolment
from hedgerow.edge.vending_line import Line

if TYPE_CHECKING:
    from hedgerow.edge.pkcs11.token import Token

_log = get_logger("edge")


class Edge:
    """One edge process. `run` ends when it is cancelled."""

    def __init__(
        self,
        *,
        settings: Configuration,
        layout: Layout,
        state: State,
        keys: Keys,
        files: Files,
        clock: Clock,
        ids: Ids,
        console: Console,
        backoff: Backoff | None = None,
    ) -> None:
        self.settings = settings
        self.layout = layout
        self._state = state
        self._keys = keys
        self._files = files
        self._clock = clock
        self._ids = ids
        self._console = console
        self._backoff = backoff or Backoff()

    async def run(self) -> None:
        """Enrol if need be, then stay connected and run what is deployed."""
        first = await self._identity()
        await self._run_device(first, await current(self._state, first))

    async def _identity(self) -> Identity:
        given = self.settings.given
        if given is not None:
            ready = ReadyMade(given, as_file=self._keys.certificate_file)
            _log.info("nothing to enrol", extra={"fields": {"way": str(ready)}})
            self._console.say(f"coming in {ready}")
            return await tried(ready, console=self._console, backoff=self._backoff)
        identity = await known_identity(self._state)
        if identity is None:
            identity = await enrolled(self._way(), console=self._console, backoff=self._backoff)
        await self._leave_claim()
        return identity

    async def _leave_claim(self) -> None:
        if self.settings.claim is None:
            return
        used: str = await self._state.read(lambda c: recall(c, USED)) or ""
        claim, root = self.settings.claim, self.layout.root
        gone = await asyncio.to_thread(removed, claim, used, root, self._files, self._console.say)
        if gone:
            _log.info("the claim is removed", extra={"fields": {"files": [str(path) for path in gone]}})
            self._console.say(f"the claim has done its work and is removed: {', '.join(map(str, gone))}")

    def _way(self) -> Way:
        settings = self.settings
        if settings.vending is not None:
            line = Line(
                endpoint=settings.vending.endpoint, root_ca=settings.root_ca, by_socket=settings.vending.by_socket
            )
            return VendingEnrolment(
                vending=settings.vending,
                answers=line.answers,
                state=self._state,
                keys=self._keys,
                files=self._files,
                console=self._console,
            )
        assert settings.claim is not None  # noqa: S101  # the configuration has one of them
        return Enrolment(
            configuration=settings,
            claim=settings.claim,
            state=self._state,
            keys=self._keys,
            files=self._files,
            clock=self._clock,
            ids=self._ids,
        )

    async def _run_device(self, first: Identity, identity: Identity) -> None:
        from hedgerow.edge.device import Device  # late: an edge that only enrols does not need all of this

        device = Device(
            settings=self.settings,
            first=first,
            identity=identity,
            layout=self.layout,
            state=self._state,
            keys=self._keys,
            files=self._files,
            clock=self._clock,
            ids=self._ids,
            console=self._console,
        )
        await device.run()


@asynccontextmanager
async def build(
    settings: EdgeSettings,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    files: Files | None = None,
    console: Console | None = None,
    backoff: Backoff | None = None,
    host_name: Callable[[], str] = socket.gethostname,
) -> AsyncIterator[Edge]:
    """Open an edge's folder and answer the edge; raise Unusable when the folder or the configuration cannot be used.

    What may pass, as a full disk does, is Unavailable.
    """
    files, console = files or RealFiles(), console or Console()
    layout = Layout(settings.root.absolute())
    layout.create()
    with contextlib.ExitStack() as closing:
        closing.enter_context(layout.held())
        said, name = configuration_text(settings, layout)
        text = filled_in(said, name, host_name)
        read = configuration.read(text, root=layout.root, name=name)
        fault = exposed(name) if read.token is not None else None
        if fault is not None:
            raise Unusable(fault)
        if settings.init_config is not None or text != said:  # the machine's name of now is its name for good
            _put(layout.config / "config.yaml", text.encode(), read.file_mode, files)
        for folder in (layout.root, layout.config, layout.root / FOLDER):  # a power cut may have left a key there
            with contextlib.suppress(Unavailable):
                files.remove_unfinished(folder)
        handler = log_to_files(layout.logs, read.logging)
        closing.callback(handler.close)
        closing.callback(logging.getLogger("hedgerow").removeHandler, handler)
        state = State(layout.state)
        closing.callback(state.close)
        keys = Keys(files=files, state=state, folder=layout.root / "identity", token=_token(read, closing))
        for warning in read.warnings:
            _log.warning("configuration", extra={"fields": {"warning": warning}})
            console.say(f"warning: {warning}")
        close_keys(read, console.say)
        yield Edge(
            settings=read,
            layout=layout,
            state=state,
            keys=keys,
            files=files,
            clock=clock or SystemClock(),
            ids=ids or RandomIds(),
            console=console,
            backoff=backoff,
        )
        console.say("stopped")


def _put(path: Path, content: bytes, mode: int, files: Files) -> None:
    """Have the file there; one that is there already is not written, which a full disk would not let us."""
    there = path.is_file() and path.read_bytes() == content and stat.S_IMODE(path.stat().st_mode) == mode
    if not there:
        files.write_durably(path, content, mode=mode)


def _token(read: Configuration, closing: contextlib.ExitStack) -> "Token | None":
    """Answer the token of the configuration, not opened yet."""
    if read.token is None:
        return None
    from hedgerow.edge.pkcs11.token import Token  # late: only a device with a token needs it

    token = Token(read.token)
    closing.callback(token.close)
    return token
