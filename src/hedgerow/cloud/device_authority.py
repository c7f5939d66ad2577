"""The cloud's device CA as the registry's flows see it: keys and signatures off the loop, each with a deadline.

Implements `services.iot.certificates.Authority`. The CA and its key are `core/pki`'s; the composition root reads them.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.core import pki
from hedgerow.services.iot.certificates import InvalidSigningRequest, Issued

T = TypeVar("T")

DEADLINE_S: Final = 30.0


class DeviceAuthority:
    """Signs client certificates. `host_names` are the names of this cloud's servers, which no device may bear."""

    def __init__(self, *, authority: pki.Authority, clock: Clock, host_names: Sequence[str]) -> None:
        self._authority = authority
        self._clock = clock
        self._host_names = tuple(host_names)

    async def issue(self, *, valid_s: float | None = None) -> Issued:
        """Make a key and a certificate for it, which ends after so long (None: as all certificates of devices do)."""
        return await self._off_the_loop(lambda: self._issued(valid_s))

    async def sign(self, signing_request_pem: str) -> str:
        return await self._off_the_loop(lambda: self._signed(signing_request_pem))

    async def request(self) -> tuple[str, str, str]:
        """Make a key; answer it, its public half and a signing request for it. The private key is secret."""
        return await self._off_the_loop(_requested)

    def _issued(self, valid_s: float | None) -> Issued:
        key, now = pki.new_key("rsa2048"), self._clock.now()
        end = None if valid_s is None else now + valid_s
        return Issued(
            certificate_pem=pki.issue_device(self._authority, key.public_key(), now, end=end),
            public_key_pem=pki.public_pem(key),
            private_key_pem=pki.private_pem(key),
        )

    def _signed(self, signing_request_pem: str) -> str:
        try:
            return pki.issue_from_csr(
                self._authority, signing_request_pem, self._clock.now(), host_names=self._host_names
            )
        except (pki.BadRequest, pki.BadKey) as error:
            raise InvalidSigningRequest(f"The certificate signing request cannot be used: {error}") from error

    async def _off_the_loop(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await asyncio.to_thread(work)
        except TimeoutError as error:
            raise Unavailable(f"no certificate within {DEADLINE_S:g} s") from error


def _requested() -> tuple[str, str, str]:
    key = pki.new_key("rsa2048")
    return pki.private_pem(key), pki.public_pem(key), pki.make_csr(key, "AWS IoT Certificate")
