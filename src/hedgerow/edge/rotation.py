"""Trading the device's certificate for a new one: by a job, and by itself before the old one ends.

Each step is on the medium before the next: key and request; certificate; the connection with it; the identity; the
cloud's confirmation, which ends the old certificate. A new certificate that does not connect is given up. One that the
cloud refuses before its confirmation is known here may be over, or the old one is and we never heard of it: the two
are tried in turn, and the new one is forgotten only once the old one is let in. Leaves to others: what both sides'
time is (`services/iot/rotation` in the cloud).
"""

import asyncio
import contextlib
import hashlib
import json
import ssl
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.files import Files
from hedgerow.base.log import get_logger
from hedgerow.edge.configuration import Endpoint
from hedgerow.edge.connection import Connection
from hedgerow.edge.enrolment import known_identity
from hedgerow.edge.https import Answered, ask
from hedgerow.edge.identity import Identity, ends_at, fits, request_for
from hedgerow.edge.keys import Keys
from hedgerow.edge.layout import Layout
from hedgerow.edge.notice import Console
from hedgerow.edge.pkcs11.uri import KeyPlace, place_of
from hedgerow.edge.state import State, forget, recall, remember
from hedgerow.edge.trouble import Trouble, ungrouped

EARLY_S: Final = 30 * 86_400.0
"""How long before its end a certificate is traded."""
LOOK_S: Final = 3600.0
"""How often its end is looked at: often, for a clock that is set late, or a device that is switched off at night."""
AGAIN_S: Final = 3600.0
CONNECTED_WITHIN_S: Final = 120.0
_PATH: Final = "/certificate-rotation"
_CURRENT: Final = "rotated"  # the identity in place of the first one
_UNDER_WAY: Final = "rotation"
_log = get_logger("edge.rotation")

Context = Callable[[Identity], ssl.SSLContext]


class NotRotated(Trouble):
    """The certificate stays the old one; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the cloud signs."""

    endpoint: Endpoint
    root_ca: str


async def current(state: State, first: Identity) -> Identity:
    """Answer the identity that rotation has put in the place of the first one, or that one itself.

    Who puts another certificate in the first one's place means the device to use it.
    """
    found = await state.read(lambda c: recall(c, _CURRENT))
    if found is None or found["instead_of"] != str(first.certificate):
        return first
    known, there = found.get("digest"), await asyncio.to_thread(_digest, first.certificate)
    return first if None not in (known, there) and known != there else Identity.of(found["identity"])


def _digest(path: Path) -> str | None:
    """Answer what stands for a file's content, None when it cannot be read. Blocks."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


class Rotation:
    """One device's rotations. `first` is the identity that the device was made or enrolled with."""

    def __init__(
        self,
        *,
        first: Identity,
        identity: Identity,
        connection: Connection,
        state: State,
        keys: Keys,
        files: Files,
        layout: Layout,
        clock: Clock,
        console: Console,
        place: Place,
        context: Context,
    ) -> None:
        self._first = first
        self.identity = identity
        self._connection = connection
        self._state = state
        self._keys = keys
        self._files = files
        self._layout = layout
        self._clock = clock
        self._console = console
        self._place = place
        self._context = context
        self._turn = asyncio.Lock()
        self._connected = asyncio.Event()
        self._refused = asyncio.Event()
        self._news = asyncio.Event()
        self._let_in: Identity | None = None  # by the cloud, as far as we know

    def online(self) -> None:
        """There is a connection, with the identity in use."""
        self._let_in = self.identity
        self._connected.set()
        self._news.set()

    def refused(self) -> None:
        """The cloud does not let the certificate in."""
        self._let_in = None
        self._refused.set()
        self._news.set()

    async def rotate(self, order: str) -> str:
        """Trade the certificate, once for the same order; answer the new one's id. Raise NotRotated."""
        async with self._turn:
            if await self._ordered() != order:
                new = await self._signed()
                old = self.identity
                await self._connect_with(new, old)
                try:
                    await self._switch(new, old, order)
                except BaseException:  # what is used is what will be used after a restart, or goes back to it
                    self._use(old)
                    raise
        await self._confirm()
        if await self._ordered() != order or self.identity != await current(self._state, self._first):
            raise NotRotated("the cloud does not let the new certificate in")
        return self.identity.certificate_id

    async def _ordered(self) -> str | None:
        """Answer the order that the last rotation was for."""
        done = await self._state.read(lambda c: recall(c, _CURRENT))
        return None if done is None else str(done.get("order"))

    async def run(self) -> None:
        """Confirm what is not confirmed, fall back where the cloud refuses, and rotate in time; until cancelled."""
        async with self._turn:
            await self._tidy()
        with ungrouped():
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._confirming())
                tasks.create_task(self._falling_back())
                tasks.create_task(self._in_time())

    async def _signed(self) -> Identity:
        """Have a certificate for a new key; what an earlier try left is used again."""
        under_way = await self._state.read(lambda c: recall(c, _UNDER_WAY))
        if under_way is not None and under_way["phase"] == "confirming":
            raise NotRotated("the last rotation is not confirmed yet; try again later")
        folder = Path(under_way["folder"]) if under_way is not None else await self._new_folder()
        place = self._new_key(folder) if under_way is None or "key" not in under_way else place_of(under_way["key"])
        asking = {"phase": "asking", "folder": str(folder), "key": str(place)}
        await self._state.write(lambda c: remember(c, _UNDER_WAY, asking))
        key = await self._keys.key(place)
        request = await asyncio.to_thread(self._request, folder / "request.pem", key)
        answer = (await self._ask(self.identity, _PATH, {"certificateSigningRequest": request})).document()
        pem = str(answer.get("certificatePem", ""))
        if not fits(pem, key):
            raise NotRotated("the cloud's certificate is not for the key that was asked for")
        await asyncio.to_thread(self._files.write_durably, folder / "certificate.pem", pem.encode(), mode=0o644)
        return Identity(
            thing_name=self.identity.thing_name,
            certificate=folder / "certificate.pem",
            private_key=place,
            certificate_id=str(answer.get("certificateId", "")),
        )

    async def _new_folder(self) -> Path:
        parent = self._layout.root / "identity"
        numbers = [int(one.name) for one in await asyncio.to_thread(_inside, parent) if one.name.isdigit()]
        return parent / str(max(numbers, default=0) + 1)

    def _new_key(self, folder: Path) -> KeyPlace:
        """Answer where the next key is to stand: where the first one does, in a file or in the token."""
        if isinstance(self._first.private_key, Path):
            return folder / "private.key"
        day = datetime.fromtimestamp(self._clock.now(), UTC)
        return self._first.private_key.beside(f"{folder.name}-{day:%Y%m%dT%H%M%SZ}")

    def _request(self, path: Path, key: Any) -> str:
        """Answer the signing request that was made before, so that the cloud knows it again. Blocks."""
        if path.exists():
            return path.read_text("ascii")
        text = request_for(key)
        self._files.make_folder(path.parent)
        self._files.write_durably(path, text.encode(), mode=0o644)
        return text

    async def _connect_with(self, new: Identity, old: Identity) -> None:
        self._connected.clear()
        self._refused.clear()
        self._use(new)
        try:
            async with asyncio.timeout(CONNECTED_WITHIN_S):
                while not self._connected.is_set() and not self._refused.is_set():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        except BaseException:
            self._use(old)
            raise
        if not self._connected.is_set():
            self._use(old)
            raise NotRotated("the new certificate does not connect; the old one stays")

    def _use(self, identity: Identity) -> None:
        self.identity = identity
        self._let_in = None
        self._connection.use(identity)

    async def _switch(self, new: Identity, old: Identity, order: str) -> None:
        current = {
            "instead_of": str(self._first.certificate),
            "digest": await asyncio.to_thread(_digest, self._first.certificate),
            "identity": new.as_values(),
            "order": order,
        }
        under_way = {"phase": "confirming", "old": old.as_values()}

        def both(connection: Any) -> None:
            remember(connection, _CURRENT, current)
            remember(connection, _UNDER_WAY, under_way)

        await self._state.write(both)
        self._console.say(f"the device has a new certificate, {new.certificate}")
        _log.info("a new certificate", extra={"fields": {"certificate": new.certificate_id}})

    async def _confirm(self) -> None:
        """Tell the cloud that the new one is in use, when it does not know yet; raise Trouble to be called again."""
        async with self._turn:
            under_way = await self._state.read(lambda c: recall(c, _UNDER_WAY))
            if under_way is None or under_way["phase"] != "confirming":
                return
            if self.identity == Identity.of(under_way["old"]):
                await self._go_back()
                return
            await self._ask(self.identity, f"{_PATH}/confirmation", {})
            await self._state.write(lambda c: forget(c, _UNDER_WAY))
            await self._forget(Identity.of(under_way["old"]))
        _log.info(
            "the old certificate has ended", extra={"fields": {"certificate": under_way["old"]["certificate_id"]}}
        )

    async def _forget(self, old: Identity) -> None:
        """Remove what no certificate needs any more."""
        await asyncio.to_thread(self._forget_files, old)
        await self._tidy()

    async def _tidy(self) -> None:
        """Have no key in the token that is not in use, or about to be."""
        under_way = await self._state.read(lambda c: recall(c, _UNDER_WAY)) or {}
        done = await self._state.read(lambda c: recall(c, _CURRENT)) or {}
        known = [Identity.of(one) for one in (under_way.get("old"), done.get("identity")) if one is not None]
        known += [self.identity, await current(self._state, self._first)]
        enrolled = await known_identity(self._state)
        if enrolled is not None and enrolled != self._first:  # the configuration gave another one for now
            known.append(enrolled)
        new = [place_of(under_way["key"])] if "key" in under_way else []
        await self._keys.tidy([*(one.private_key for one in known), *new])
        places = [
            place
            for one in (*known, self._first)
            for place in (one.certificate, one.private_key)
            if isinstance(place, Path)
        ]
        used = {place.parent for place in places} | {Path(under_way.get("folder", ""))}
        await asyncio.to_thread(self._tidy_folders, used)

    def _tidy_folders(self, used: Set[Path]) -> None:
        """Remove what a power cut left of others. What fails is left for the next time. Blocks."""
        for folder in _inside(self._layout.root / "identity"):
            if folder.name.isdigit() and folder not in used:
                with contextlib.suppress(Unavailable):
                    self._files.remove_folder(folder)

    def _forget_files(self, old: Identity) -> None:
        """Remove the key that no certificate needs any more, when it is one of ours. Blocks."""
        folder = old.certificate.parent
        if folder.parent == self._layout.root / "identity":
            self._files.remove_folder(folder)

    async def _confirming(self) -> None:
        while True:
            wait_s = None
            try:
                await self._confirm()
            except Unavailable as trouble:
                _log.warning("a rotation is not confirmed yet", extra={"fields": {"cause": str(trouble)}})
                wait_s = AGAIN_S / 60
            self._connected.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._connected.wait()

    async def _go_back(self) -> None:
        """Forget the new certificate, once the old one was let in in its place."""
        if self._let_in != self.identity:
            return

        done = await self._state.read(lambda c: recall(c, _CURRENT))

        def back(connection: Any) -> None:
            forget(connection, _CURRENT)
            forget(connection, _UNDER_WAY)

        await self._state.write(back)
        await self._forget(Identity.of(done["identity"]))
        self._console.say("the new certificate is refused; the device is back with the old one")

    async def _falling_back(self) -> None:
        """While the confirmation is not known here: a certificate that is refused gives way to the other one."""
        while True:
            await self._refused.wait()
            async with self._turn:
                if not self._refused.is_set():  # it was refused before it came to another one
                    continue
                self._refused.clear()
                under_way = await self._state.read(lambda c: recall(c, _UNDER_WAY))
                if under_way is None or under_way["phase"] != "confirming":
                    continue
                done = await self._state.read(lambda c: recall(c, _CURRENT))
                new, old = Identity.of(done["identity"]), Identity.of(under_way["old"])
                self._use(old if self.identity == new else new)

    async def _in_time(self) -> None:
        """Rotate a certificate that ends soon."""
        while True:
            ends = await asyncio.to_thread(ends_at, self.identity.certificate)
            wait = LOOK_S
            if ends is not None and ends - self._clock.now() < EARLY_S:
                try:
                    await self.rotate(f"before {ends:.0f}")
                except Unavailable as trouble:
                    fields = {"cause": str(trouble), "certificate_ends_at": ends}
                    _log.warning("the certificate ends soon and could not be rotated", extra={"fields": fields})
                    wait = AGAIN_S
            await asyncio.sleep(wait)

    async def _ask(self, identity: Identity, path: str, body: dict[str, Any]) -> Answered:
        answer = await asyncio.to_thread(
            lambda: ask(
                self._place.endpoint,
                self._context(identity),
                "POST",
                path,
                headers={"content-type": "application/json"},
                body=json.dumps(body).encode(),
                root_ca=self._place.root_ca,
                certificate=str(identity.certificate),
            )
        )
        if answer.status >= 300:
            text = f"the cloud refused the rotation: {answer.status} {answer.error} {answer.message}"
            raise NotRotated(text, permanent=answer.status < 500)
        return answer


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
