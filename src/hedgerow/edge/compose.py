"""The composition root of an edge: everything that it is made of, in order.

`build` opens folder, lock, log and state; `Edge.run` enrols when that is still to be done, then runs what a device is
made of until it is stopped.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hedgerow.base.clock import Clock, SystemClock
from hedgerow.base.errors import Unavailable
from hedgerow.base.files import Files, RealFiles
from hedgerow.base.ids import Ids, RandomIds
from hedgerow.base.log import get_logger
from hedgerow.edge import configuration
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.configuration import Configuration
from hedgerow.edge.identity import Identity
from hedgerow.edge.layout import Layout
from hedgerow.edge.notice import Console, log_to_files
from hedgerow.edge.provisioning import Enrolment
from hedgerow.edge.rotation import current
from hedgerow.edge.settings import EdgeSettings, configuration_text
from hedgerow.edge.state import State, recall
from hedgerow.edge.trouble import Trouble

_log = get_logger("edge")


class Edge:
    """One edge process. `run` ends when it is cancelled."""

    def __init__(
        self,
        *,
        settings: Configuration,
        layout: Layout,
        state: State,
        files: Files,
        clock: Clock,
        ids: Ids,
        console: Console,
        backoff: Backoff | None = None,
    ) -> None:
        self.settings = settings
        self.layout = layout
        self._state = state
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
            return Identity(thing_name=given.thing_name, certificate=given.certificate, private_key=given.private_key)
        known = await self._state.read(lambda c: recall(c, "identity"))
        if known is not None:
            return Identity.of(known)
        return await self._enrolled()

    async def _enrolled(self) -> Identity:
        claim = self.settings.claim
        assert claim is not None  # noqa: S101  # the configuration has one of both
        enrolment = Enrolment(
            configuration=self.settings,
            claim=claim,
            state=self._state,
            files=self._files,
            clock=self._clock,
            ids=self._ids,
        )
        self._console.say(f"enrolling at {claim.endpoint} with the template {claim.template}")
        while True:
            try:
                identity = await enrolment.attempt()
            except Unavailable as trouble:
                lasting = isinstance(trouble, Trouble) and trouble.permanent
                wait = self._backoff.next(permanent=lasting)
                fields = {"cause": str(trouble), "wait_s": round(wait, 1), "permanent": lasting}
                _log.warning("not enrolled", extra={"fields": fields})
                self._console.say(f"not enrolled: {trouble}")
                await asyncio.sleep(wait)
            else:
                fields = {"thing": identity.thing_name, "certificate": identity.certificate_id}
                _log.info("enrolled", extra={"fields": fields})
                self._console.say(f"enrolled as {identity.thing_name}")
                return identity

    async def _run_device(self, first: Identity, identity: Identity) -> None:
        from hedgerow.edge.device import Device  # late: an edge that only enrols does not need all of this

        device = Device(
            settings=self.settings,
            first=first,
            identity=identity,
            layout=self.layout,
            state=self._state,
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
) -> AsyncIterator[Edge]:
    """Open an edge's folder and answer the edge; raise Unusable when the folder or the configuration cannot be used."""
    files, console = files or RealFiles(), console or Console()
    layout = Layout(settings.root.absolute())
    layout.create()
    with contextlib.ExitStack() as closing:
        closing.enter_context(layout.held())
        text, name = configuration_text(settings, layout)
        read = configuration.read(text, root=layout.root, name=name)
        if settings.init_config is not None:
            files.write_durably(layout.config / "config.yaml", text.encode(), mode=0o644)
        handler = log_to_files(layout.logs, read.logging)
        closing.callback(handler.close)
        closing.callback(logging.getLogger("hedgerow").removeHandler, handler)
        state = State(layout.state)
        closing.callback(state.close)
        for warning in read.warnings:
            _log.warning("configuration", extra={"fields": {"warning": warning}})
            console.say(f"warning: {warning}")
        yield Edge(
            settings=read,
            layout=layout,
            state=state,
            files=files,
            clock=clock or SystemClock(),
            ids=ids or RandomIds(),
            console=console,
            backoff=backoff,
        )
        console.say("stopped")
