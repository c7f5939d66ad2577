"""Coming to an identity: one way, tried until it works, and what is done with what it gives.

Leaves to others: the ways (`provisioning.py` by claim, `vending.py`, `ready_made.py`), which one it is (`compose.py`).
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Protocol

from hedgerow.base.errors import Unavailable
from hedgerow.base.files import Files
from hedgerow.base.log import get_logger
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.identity import Identity
from hedgerow.edge.notice import Console
from hedgerow.edge.state import State, forget, recall, remember
from hedgerow.edge.trouble import Trouble

IDENTITY = "identity"
PENDING = "enrolment"
"""What a way has got so far and would otherwise have to ask for again."""
USED = "used claim"
_MOST_OF_A_CERTIFICATE = 16_384  # bytes
_log = get_logger("edge.enrolment")


class Waits(Trouble):
    """Nothing is wrong: somebody else has to do something first. It is asked again, not before `after_s`."""

    def __init__(self, message: str, *, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


class Way(Protocol):
    """One way to an identity."""

    def __str__(self) -> str:
        """Say which way, and where: `by claim at …`."""
        ...

    async def attempt(self) -> Identity:
        """Try once; answer the identity, which is on disk by then. May be called again, and after a power cut.

        Raises Unavailable; a Trouble that is permanent is tried again after longer waits, Waits when it says.
        """
        ...


async def known_identity(state: State) -> Identity | None:
    """Answer who this edge became before, None while it is nobody."""
    known = await state.read(lambda c: recall(c, IDENTITY))
    return None if known is None else Identity.of(known)


def make_room(certificate: Path, files: Files) -> None:
    """Have a folder for the certificate, and room in it; raise Unavailable before it is asked for. Blocks."""
    files.make_folder(certificate.parent)
    try:
        with tempfile.TemporaryFile(dir=certificate.parent) as room:
            room.write(bytes(_MOST_OF_A_CERTIFICATE))
    except OSError as error:
        raise Unavailable(f"cannot write in the folder {certificate.parent}: {error.strerror}") from error


async def keep(
    identity: Identity,
    certificate_pem: str,
    configuration: dict[str, Any],
    *,
    state: State,
    files: Files,
    claim: str = "",
) -> Identity:
    """Have the certificate on the medium, then switch to the identity, in one step; answer it.

    `claim` stands for the claim that it took, which has done its work then.
    """
    await asyncio.to_thread(files.write_durably, Path(identity.certificate), certificate_pem.encode(), mode=0o644)

    def step(connection: Any) -> None:
        remember(connection, IDENTITY, identity.as_values())
        remember(connection, "device configuration", configuration)
        remember(connection, USED, claim)
        forget(connection, PENDING)

    await state.write(step)
    return identity


async def enrolled(way: Way, *, console: Console, backoff: Backoff) -> Identity:
    """Say which way, try it until it works, and say who this edge is now."""
    console.say(f"enrolling {way}")
    _log.info("enrolling", extra={"fields": {"way": str(way)}})
    identity = await tried(way, console=console, backoff=backoff)
    fields = {"way": str(way), "thing": identity.thing_name, "certificate": identity.certificate_id}
    _log.info("enrolled", extra={"fields": fields})
    console.say(f"enrolled as {identity.thing_name}")
    return identity


async def tried(way: Way, *, console: Console, backoff: Backoff) -> Identity:
    """Try it until it works, with waits that grow."""
    while True:
        try:
            return await way.attempt()
        except Unavailable as trouble:
            lasting = isinstance(trouble, Trouble) and trouble.permanent
            wait = backoff.next(permanent=lasting)
            if isinstance(trouble, Waits):
                wait += trouble.after_s
            fields = {"way": str(way), "cause": str(trouble), "wait_s": round(wait, 1), "permanent": lasting}
            _log.warning("not enrolled", extra={"fields": fields})
            console.say(str(trouble) if isinstance(trouble, Waits) else f"not enrolled: {trouble}")
            await asyncio.sleep(wait)
