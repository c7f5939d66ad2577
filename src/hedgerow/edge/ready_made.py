"""A ready-made key and certificate: nothing is asked for, and the certificate may say the thing's name.

It may be of this cloud, registered before, or of a factory's CA: then the first connection registers it, by the CA's
template or by who decides about it (JITP, JITR), and is cut; the ones after it are let in.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from hedgerow.edge.configuration import Given
from hedgerow.edge.identity import Identity
from hedgerow.edge.pkcs11.uri import KeyPlace
from hedgerow.edge.trouble import Trouble

HINT: Final = "a certificate of a factory's CA is registered by its first connection, and let in later"
THING_NAME: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")


class ReadyMade:
    """Takes what is in the files, or in the token; `as_file` has a certificate in a file, or raises Trouble."""

    def __init__(self, given: Given, *, as_file: Callable[[KeyPlace], Awaitable[Path]]) -> None:
        self._given = given
        self._as_file = as_file

    def __str__(self) -> str:
        return f"with the ready-made certificate {self._given.certificate}"

    async def attempt(self) -> Identity:
        given = self._given
        certificate = await self._as_file(given.certificate)
        return Identity(
            thing_name=given.thing_name or await asyncio.to_thread(common_name, certificate),
            certificate=certificate,
            private_key=given.private_key,
        )


def common_name(path: Path) -> str:
    """Answer the thing name that a certificate's subject gives; raise Trouble when it gives none. Blocks."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise Trouble(f"cannot read {path}: {error.strerror}", permanent=True) from error
    except ValueError as error:
        raise Trouble(f"{path} holds no certificate that can be used", permanent=True) from error
    found = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(found) != 1 or not THING_NAME.fullmatch(found[0]):
        raise Trouble(
            f"system.thingName is missing, and the certificate {path} has no common name that could be one",
            permanent=True,
        )
    return found[0]
