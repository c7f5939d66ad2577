"""The certificate that browsers are shown: in files, and whoever connects after these were renewed sees the new one.

Leaves to others: making and renewing it (the cloud, or whoever started the console by hand).
"""

import asyncio
import ssl
from pathlib import Path
from typing import Final

from hedgerow.base.errors import Unusable
from hedgerow.base.log import get_logger

log = get_logger("console")

LOOK_EVERY_S: Final = 2.0

_Stamp = tuple[tuple[int, int, int] | None, ...]  # of each file: which it is, its size, when it was written


class Certificate:
    """A certificate, its chain and its key. Raises Unusable when no server can show them.

    `context` is for the listener, for as long as it lives. Each handshake goes on with the context that was read last,
    so there is never one with the old certificate and the new key.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._stamp = self._stamped()
        try:
            self.context = self._newest = self._read()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise Unusable(f"cannot serve TLS with {certificate} and {key}: {_words(error)}") from error
        self.context.sni_callback = self._choose

    async def keep(self) -> None:
        """Take what is renewed, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Take the files when they changed; one that cannot be used changes nothing, and the log says so once."""
        stamp = await asyncio.to_thread(self._stamped)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._newest = await asyncio.to_thread(self._read)
        except (OSError, ValueError) as error:
            log.error("the console's certificate was not renewed", extra={"fields": {"detail": _words(error)}})
            return
        log.info("the console's certificate is renewed")

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called in each handshake, also when the client names no server."""
        if self._newest is not self.context:
            connection.context = self._newest

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        certificate, key = self._files
        context.load_cert_chain(certificate, key, password=_no_password)
        return context

    def _stamped(self) -> _Stamp:
        return tuple(_stamp_of(file) for file in self._files)


def _stamp_of(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _no_password() -> str:
    """Called for a key that is encrypted; without it OpenSSL would ask the terminal."""
    raise ValueError("the key is encrypted, and nobody can be asked for its password")


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"they are no certificate and its key ({error.reason or error})"
    return str(error)
