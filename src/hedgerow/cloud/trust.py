"""The cloud's own certificates on disk, and the TLS contexts of its listeners.

```
DIR/pki/
├── server-ca.pem, server-ca.key     the root that devices trust (`ca_file`); the key is sealed
├── device-ca.pem, device-ca.key     signs client certificates; known to our listeners only; the key is sealed
└── server.pem, server.key           the server certificate of now; the key has mode 600
```
The server certificate is made anew at each start, and in good time before it ends: the live contexts take the new one
for who comes next, and whoever is connected does not notice. So do those of domain configurations, whose certificates
and keys are nowhere on disk.

One context per listener for its whole life. OpenSSL proves possession and signature; dates, status and account are
decided after the handshake (`Directory`), so that the log can say which one failed.
"""

import asyncio
import ipaddress
import ssl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.base.files import Files
from hedgerow.core import pki
from hedgerow.core.tls import SECURITY_POLICIES, Domain, Port, Speech, WayIn, names_for
from hedgerow.store import Vault

SERVER_BEGINS_S: Final = 365 * 86_400.0  # before now, for devices whose clocks are late; never before its root
SERVER_LASTS_S: Final = 90 * 86_400.0
RENEWED_AFTER_S: Final = 60 * 86_400.0  # a month is left for whoever must notice that it did not work
_VERSIONS: Final = {(1, 2): ssl.TLSVersion.TLSv1_2, (1, 3): ssl.TLSVersion.TLSv1_3}
_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for


@dataclass(frozen=True, slots=True)
class Trust:
    """The hierarchies and the listeners' contexts."""

    folder: Path
    ca_file: Path
    server_authority: pki.Authority
    device_authority: pki.Authority
    names: tuple[str, ...]
    mqtt: ssl.SSLContext
    https: ssl.SSLContext
    strangers: ssl.SSLContext  # MQTT for those who show no certificate and are not asked for one
    operators: ssl.SSLContext
    more: dict[ssl.SSLContext, str] = field(default_factory=dict)  # of domain configurations, with the host name
    verifying: list[ssl.SSLContext] = field(default_factory=list)  # those of them that ask for client certificates

    def anchor(self, certificate_pem: str) -> None:
        """Accept handshakes with this certificate although no CA of ours signed it; for as long as we run."""
        for context in (self.mqtt, self.https, *self.verifying):
            context.load_verify_locations(cadata=certificate_pem)

    async def anchor_all(self, certificate_pems: Sequence[str]) -> None:
        """Accept very many, off the loop: OpenSSL sorts anew for each, which takes seconds for some thousands."""
        if not certificate_pems:
            return
        with _as_file("".join(certificate_pems)) as name:
            loads = (asyncio.to_thread(each.load_verify_locations, name) for each in (self.mqtt, self.https))
            await asyncio.gather(*loads)  # from a file the lock of the interpreter is not held

    def fresh(self, now: float, files: Files) -> list[tuple[ssl.SSLContext, str]]:
        """Make new server certificates and answer them with their contexts, for `install`; call it off the loop."""
        chain = _write_server(self.folder, self.server_authority, self.names, now, files)
        own = [(context, chain) for context in (self.mqtt, self.https, self.strangers, self.operators)]
        return own + [(context, self._chain(name, now)) for context, name in tuple(self.more.items())]

    def install(self, fresh: Sequence[tuple[ssl.SSLContext, str]]) -> None:
        """Have the contexts show these certificates from now on; call it on the loop, where handshakes are."""
        for context, chain in fresh:
            _certify(context, chain)

    def further(self, domain: Domain, way: WayIn, anchors: Callable[[], Sequence[str]], now: float) -> ssl.SSLContext:
        """Make the context of a domain configuration; call it off the loop. It is renewed until it is forgotten."""
        context = _plain(self.device_authority if way.certificates else None)
        policy = SECURITY_POLICIES[domain.policy]
        context.minimum_version, context.maximum_version = _VERSIONS[policy.lowest], _VERSIONS[policy.highest]
        context.set_ciphers(policy.suites)
        context.set_alpn_protocols(list(names_for(Port.ALPN, way.speech)))
        _certify(context, self._chain(domain.name, now))
        self.more[context] = domain.name
        if way.certificates:
            self.verifying.append(context)  # before it learns what there is, so that it misses nothing that comes now
            with _as_file("".join(anchors())) as name:
                context.load_verify_locations(name)
        return context

    def forget(self, context: ssl.SSLContext) -> None:
        """Let go of a context of a domain configuration; who is connected stays so."""
        self.more.pop(context, None)
        if context in self.verifying:
            self.verifying.remove(context)

    def _chain(self, name: str, now: float) -> str:
        return "".join(_issued(self.server_authority, [name], now))


def open_trust(folder: Path, names: Sequence[str], *, vault: Vault, clock: Clock, files: Files) -> Trust:
    """Read or make the hierarchies, issue this start's server certificate, build the contexts."""
    pki_folder = folder / "pki"
    files.make_folder(pki_folder)
    now = clock.now()
    served = (*names, *_names_of_accounts(names))
    server = _authority(pki_folder, "server-ca", lambda: pki.new_server_authority(now), vault, files)
    device = _authority(pki_folder, "device-ca", lambda: pki.new_device_authority(now), vault, files)
    _write_server(pki_folder, server, served, now, files)
    mqtt, https, strangers, operators = (
        _context(pki_folder, device if demands else None) for demands in (True, True, False, False)
    )
    mqtt.set_alpn_protocols(names_for(Port.MQTT, Speech.MQTT))
    https.set_alpn_protocols(names_for(Port.HTTPS, Speech.HTTP))
    strangers.set_alpn_protocols(["mqtt"])
    return Trust(
        folder=pki_folder,
        ca_file=pki_folder / "server-ca.pem",
        server_authority=server,
        device_authority=device,
        names=served,
        mqtt=mqtt,
        https=https,
        strangers=strangers,
        operators=operators,
    )


def _write_server(folder: Path, server: pki.Authority, names: Sequence[str], now: float, files: Files) -> str:
    certificate, key = _issued(server, names, now)
    files.write_durably(folder / "server.key", key.encode(), mode=0o600)
    files.write_durably(folder / "server.pem", certificate.encode(), mode=0o644)
    return certificate + key


def _issued(server: pki.Authority, names: Sequence[str], now: float) -> tuple[str, str]:
    """Answer a new certificate and its key."""
    key = pki.new_key("p256")
    root_begins = server.certificate.not_valid_before_utc.timestamp() + pki.BACKDATED_S
    begins = max(root_begins, now - SERVER_BEGINS_S)
    certificate = pki.issue_server(server, key.public_key(), list(names), begins, until=now + SERVER_LASTS_S)
    return certificate, pki.private_pem(key)


def _certify(context: ssl.SSLContext, chain: str) -> None:
    with _as_file(chain) as name:
        context.load_cert_chain(name)


@contextmanager
def _as_file(pem: str) -> Iterator[str]:
    """OpenSSL reads keys, and many certificates fast, from files alone: a file (mode 600) that is gone afterwards."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="ascii") as file:
        file.write(pem)
        file.flush()
        yield file.name


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
    context = _plain(device)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


def _plain(device: pki.Authority | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if device is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        flags = int(context.verify_flags) | int(ssl.VERIFY_X509_PARTIAL_CHAIN) | _NO_CHECK_TIME
        context.verify_flags = ssl.VerifyFlags(flags & ~int(ssl.VERIFY_X509_STRICT))  # ~ of a flag drops unknown bits
        context.load_verify_locations(cadata=device.pem)
    return context
