"""Where the device's private keys stand, in files or in a token: they are found, made, and removed when done with.

What is made in a token is written down before, so that no key stays there that nobody knows of. Keys that others put
there are used and never removed. Leaves to others: the token (`pkcs11/`), rotated identities' files (`rotation.py`).
"""

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hedgerow.base.files import Files
from hedgerow.base.log import get_logger
from hedgerow.edge.identity import key_at, key_in
from hedgerow.edge.pkcs11.settings import PROVIDER
from hedgerow.edge.pkcs11.uri import KeyPlace, Pkcs11Uri
from hedgerow.edge.state import State, recall, remember
from hedgerow.edge.trouble import Trouble

if TYPE_CHECKING:
    from hedgerow.edge.identity import Key
    from hedgerow.edge.pkcs11.token import Token

_MADE: Final = "keys made in the token"
_log = get_logger("edge.keys")


class Keys:
    """One device's private keys. `token` is None when the configuration names none, `folder` is for copies."""

    def __init__(self, *, files: Files, state: State, folder: Path, token: "Token | None" = None) -> None:
        self._files = files
        self._folder = folder
        self._state = state
        self.token = token

    async def key(self, place: KeyPlace, *, make: bool = True) -> "Key":
        """Answer the key that stands there; make it when there is none and that is wanted. Raise Trouble."""
        if isinstance(place, Path):
            return await (asyncio.to_thread(key_at, place, self._files) if make else asyncio.to_thread(key_in, place))
        token = token_for(place, self.token)
        if not make:
            return await asyncio.to_thread(token.key, place)
        found = await asyncio.to_thread(token.maybe_key, place)
        if found is None:
            await self._state.write(lambda c: remember(c, _MADE, sorted({*(recall(c, _MADE) or ()), str(place)})))
            found = await asyncio.to_thread(token.made, place)
            _log.info("a key was made in the token", extra={"fields": {"key": str(place)}})
        return found

    async def certificate_file(self, place: KeyPlace) -> Path:
        """Answer a certificate as a file: one in the token is copied each time, and the last copy will do without it.

        Raise Trouble when there is neither.
        """
        if isinstance(place, Path):
            return place
        copy = self._folder / "certificate-from-token.pem"
        try:
            pem = await asyncio.to_thread(token_for(place, self.token).certificate, place)
        except Trouble as trouble:
            if not await asyncio.to_thread(copy.is_file):
                raise
            _log.warning("the certificate is the one of last time", extra={"fields": {"cause": str(trouble)}})
        else:
            await asyncio.to_thread(self._write, copy, pem)
        return copy

    def _write(self, copy: Path, pem: bytes) -> None:
        self._files.make_folder(copy.parent)
        self._files.write_durably(copy, pem, mode=0o644)

    async def done_with(self, place: KeyPlace) -> None:
        """Remove a key that no certificate needs any more, if this edge made it in the token. Raise Trouble."""
        if isinstance(place, Path) or str(place) not in await self._made():
            return
        await asyncio.to_thread(token_for(place, self.token).remove, place)

        def step(connection: Any) -> None:
            left = set(recall(connection, _MADE) or ()) - {str(place)}
            remember(connection, _MADE, sorted(left))

        await self._state.write(step)
        _log.info("a key was removed from the token", extra={"fields": {"key": str(place)}})

    async def tidy(self, in_use: Iterable[KeyPlace]) -> None:
        """Remove the keys made in the token that none of these is. What fails is left for the next time."""
        used = {place.object for place in in_use if isinstance(place, Pkcs11Uri)}
        for text in await self._made():
            place = Pkcs11Uri.of(text)
            if place.object not in used and self.token is not None:
                with contextlib.suppress(Trouble):
                    await self.done_with(place)

    async def _made(self) -> list[str]:
        return await self._state.read(lambda c: recall(c, _MADE)) or []


def token_for(uri: Pkcs11Uri, token: "Token | None") -> "Token":
    """Answer the token; raise Trouble when there is none for the key."""
    if token is None:
        text = f"the key {uri} stands in a token, but services.{PROVIDER} is not in the configuration"
        raise Trouble(text, permanent=True)
    return token
