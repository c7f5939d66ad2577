"""What the device listeners trust beside our own device CA: accounts' CAs, and certificates without a CA.

They are added to the live contexts and cannot be taken out again before the next start; that is harmless, because the
registry decides who is let in. But OpenSSL finds an issuer by its name, and when that one's signature does not fit it
tries no other: an account could so spoil the handshakes of another's devices with a CA of the same name, or of the
device CA's. Such a certificate is refused. Within one account it is the account's own affair.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cryptography import x509

from hedgerow.base.log import get_logger
from hedgerow.cloud.trust import Trust
from hedgerow.core import pki
from hedgerow.services.iot.ca_certificates import CaCertificateStore
from hedgerow.services.iot.ca_certificates.errors import NameTaken
from hedgerow.services.iot.certificates import CertificateStore
from hedgerow.store import Run, Tx

log = get_logger("anchors")


@dataclass(frozen=True, slots=True)
class _Anchor:
    """One certificate that is trusted. The DER alone is kept: there may be very many."""

    account: str
    ca: bool
    der: bytes

    def certificate(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.der)


class Anchors:
    """Adds to what the listeners trust. One for the cloud, on its loop."""

    def __init__(self, *, trust: Trust) -> None:
        self.trust = trust
        self._by_subject: dict[str, list[_Anchor]] = {}
        self._by_issuer: dict[str, list[_Anchor]] = {}
        self._lock = asyncio.Lock()
        self._note(trust.device_authority.pem, account="", ca=True)

    async def load(self, run: Run, *, cas: CaCertificateStore, certificates: CertificateStore) -> None:
        """Trust everything that the registry holds. At the start, before anybody connects."""

        def read(tx: Tx) -> list[tuple[str, bool, str]]:
            known = cas.anchors(tx)
            there = {(account, ca_id) for account, ca_id, _ in known}
            found = [(account, True, pem) for account, _, pem in known]
            found += _leaves(certificates.without_ca(tx))
            for account, ca_id in certificates.ca_ids(tx):
                if (account, ca_id) not in there:  # the CA was deleted, its certificates go on
                    found += _leaves(certificates.anchors_of_ca(tx, account, ca_id))
            return found

        found = await run.read(read)
        await self.trust.anchor_all([pem for _, _, pem in found])
        await asyncio.to_thread(self._note_all, found)

    @asynccontextmanager
    async def joining(self, certificate_pem: str, *, account: str, ca: bool) -> AsyncIterator[None]:
        """Trust the certificate once the block has ended well. One block at a time.

        Raises NameTaken when it could spoil the handshakes of other accounts' devices.
        """
        async with self._lock:
            self._check(pki.read_certificate(certificate_pem), account=account, ca=ca)
            yield
            self._add(certificate_pem, account=account, ca=ca)

    def everything(self) -> list[str]:
        """Answer what is trusted, as PEM; for a context that is made later."""
        return [ssl.DER_cert_to_PEM_cert(anchor.der) for anchors in self._by_subject.values() for anchor in anchors]

    def _add(self, certificate_pem: str, *, account: str, ca: bool) -> None:
        self.trust.anchor(certificate_pem)
        self._note(certificate_pem, account=account, ca=ca)

    def _note_all(self, found: Sequence[tuple[str, bool, str]]) -> None:
        for account, ca, pem in found:
            self._note(pem, account=account, ca=ca)

    def _note(self, certificate_pem: str, *, account: str, ca: bool) -> None:
        certificate = pki.read_certificate(certificate_pem)
        anchor = _Anchor(account, ca, pki.der_of(certificate))
        subject, issuer = pki.name_key(certificate.subject), pki.name_key(certificate.issuer)
        self._by_subject.setdefault(subject, []).append(anchor)
        if issuer != subject and not ca:
            self._by_issuer.setdefault(issuer, []).append(anchor)

    def _check(self, new: x509.Certificate, *, account: str, ca: bool) -> None:
        key = pki.key_id(new)
        for other in self._strangers(self._by_subject, new.subject, account):
            if (ca or other.ca) and pki.key_id(other.certificate()) != key:
                raise _taken("its subject is that of another CA", account, other)
        for other in self._strangers(self._by_issuer, new.subject, account):
            if pki.could_be_taken(new, other.certificate()):
                why = "its subject is the issuer of another account's certificates, which it did not sign"
                raise _taken(why, account, other)
        for other in self._strangers(self._by_subject, new.issuer, account):
            if new.issuer != new.subject and pki.could_be_taken(other.certificate(), new):
                raise _taken("its issuer has the name of another CA, which did not sign it", account, other)

    def _strangers(self, index: dict[str, list[_Anchor]], name: x509.Name, account: str) -> Iterator[_Anchor]:
        return (anchor for anchor in index.get(pki.name_key(name), ()) if anchor.account != account)


def _taken(why: str, account: str, other: _Anchor) -> NameTaken:
    """Tell the operator, and not the caller, who has the name."""
    fields = {"account": account, "holder": other.account or "the device CA", "why": why}
    log.warning("a certificate is not trusted because of its name", extra={"fields": fields})
    return NameTaken(why)


def _leaves(found: Sequence[tuple[str, str, str]]) -> list[tuple[str, bool, str]]:
    return [(account, False, pem) for account, _, pem in found]
