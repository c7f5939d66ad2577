"""The cloud's own certificates on disk, and the TLS contexts of its listeners.

```
DIR/pki/
├── server-ca.pem, server-ca.key     the root that devices trust (`ca_file`); the key is sealed
├── device-ca.pem, device-ca.key     signs client certificates; known to our listeners only; the key is sealed
└── server.pem, server.key           this start's server certificate; the key has mode 600
```
One context per listener for its whole life. OpenSSL proves possession and signature; dates, status and account are
decided after the handshake (`Directory`), so that the log can say which one failed.
"""

import asyncio
import ipaddress
import ssl
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.base.files import Files
from hedgerow.core import pki
from hedgerow.store import Vault

_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for


@dataclass(frozen=True, slots=True)
class Trust:
    """The hierarchies and the listeners' contexts."""

    ca_file: Path
    device_authority: pki.Authority
    names: tuple[str, ...]
    mqtt: ssl.SSLContext
    https: ssl.SSLContext
    strangers: ssl.SSLContext  # MQTT for those who show no certificate and are not asked for one
    operators: ssl.SSLContext

    def anchor(self, certificate_pem: str) -> None:
        """Accept handshakes with this certificate although no CA of ours signed it; for as long as we run."""
        for context in (self.mqtt, self.https):
            context.load_verify_locations(cadata=certificate_pem)

    async def anchor_all(self, certificate_pems: Sequence[str]) -> None:
        """Accept very many, off the loop: OpenSSL sorts anew for each, which takes seconds for some thousands."""
        if not certificate_pems:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="ascii") as file:
            file.write("".join(certificate_pems))
            file.flush()
            loads = (asyncio.to_thread(each.load_verify_locations, file.name) for each in (self.mqtt, self.https))
            await asyncio.gather(*loads)  # from a file the lock of the interpreter is not held


def open_trust(folder: Path, names: Sequence[str], *, vault: Vault, clock: Clock, files: Files) -> Trust:
    """Read or make the hierarchies, issue this start's server certificate, build the contexts."""
    pki_folder = folder / "pki"
    files.make_folder(pki_folder)
    now = clock.now()
    served = (*names, *_names_of_accounts(names))
    server = _authority(pki_folder, "server-ca", lambda: pki.new_server_authority(now), vault, files)
    device = _authority(pki_folder, "device-ca", lambda: pki.new_device_authority(now), vault, files)
    key = pki.new_key("p256")
    files.write_durably(pki_folder / "server.key", pki.private_pem(key).encode(), mode=0o600)
    certificate = pki.issue_server(server, key.public_key(), list(served), now)
    files.write_durably(pki_folder / "server.pem", certificate.encode(), mode=0o644)
    contexts = [_context(pki_folder, device if demands else None) for demands in (True, True, False, False)]
    contexts[0].set_alpn_protocols(["x-amzn-mqtt-ca", "mqtt"])
    contexts[1].set_alpn_protocols(["x-amzn-http-ca", "http/1.1"])
    contexts[2].set_alpn_protocols(["mqtt"])
    return Trust(pki_folder / "server-ca.pem", device, served, *contexts)


def _names_of_accounts(names: Sequence[str]) -> list[str]:
    """A client may name its account: `<12 digits>.<host>`."""
    return [f"*.{name}" for name in names if not name.startswith("*.") and not _is_address(name)]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _authority(folder: Path, name: str, make: Callable[[], pki.Authority], vault: Vault, files: Files) -> pki.Authority:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    context = f"pki {name}"
    if certificate.exists():
        return pki.read_authority(certificate.read_text("ascii"), vault.open(key.read_bytes(), context=context))
    made = make()
    files.write_durably(key, vault.seal(made.key_pem.encode(), context=context), mode=0o600)
    files.write_durably(certificate, made.pem.encode(), mode=0o644)
    return made


def _context(folder: Path, device: pki.Authority | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if device is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        flags = int(context.verify_flags) | int(ssl.VERIFY_X509_PARTIAL_CHAIN) | _NO_CHECK_TIME
        context.verify_flags = ssl.VerifyFlags(flags & ~int(ssl.VERIFY_X509_STRICT))  # ~ of a flag drops unknown bits
        context.load_verify_locations(cadata=device.pem)
    return context
