"""The domain configurations as connections meet them: in memory, by the server name that a client asks for.

Read when the cloud starts, kept by the events of every change; a change counts for the next handshake. Also whose a
server name is, for certificates that several accounts have and for custom authorizers.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Final

from hedgerow.cloud.certificate_checks import CertificateChecks
from hedgerow.core.events import DomainChanged, Event
from hedgerow.core.tls import Domain, WayIn
from hedgerow.gateway.ports import NotAdmitted
from hedgerow.services.iot.domains import DomainStore
from hedgerow.store import Run

_ACCOUNT_HOST: Final = re.compile(r"([0-9]{12})\.")


class Domains:
    """Lives on the loop. Without a word of `load` and `announce` it knows none."""

    def __init__(self, *, checks: CertificateChecks | None = None) -> None:
        """`checks` asks functions about client certificates; without it none are asked."""
        self._checks = checks
        self._by_name: dict[str, Domain] = {}
        self._listeners: list[Callable[[str], None]] = []

    async def load(self, run: Run, store: DomainStore) -> None:
        """Read what there is."""
        for domain in await run.read(store.everyone):
            self._by_name[domain.name] = domain

    def announce(self, event: Event) -> None:
        """Hear of a change."""
        if not isinstance(event, DomainChanged):
            return
        if event.domain is None:
            self._by_name.pop(event.name, None)
        else:
            self._by_name[event.name] = event.domain
        for listener in self._listeners:
            listener(event.name)

    def when_changed(self, listener: Callable[[str], None]) -> None:
        """Have somebody told of each host name whose configuration changed."""
        self._listeners.append(listener)

    def find(self, server_name: str | None) -> Domain | None:
        """Answer the configuration of a name, None for the cloud's own names and unknown ones."""
        return None if server_name is None else self._by_name.get(server_name.lower().removesuffix("."))

    def account(self, server_name: str | None) -> str | None:
        """Answer whose a name is: a configuration's account, or the one that it begins with (`<12 digits>.<host>`)."""
        domain = self.find(server_name)
        if domain is not None:
            return domain.account
        named = _ACCOUNT_HOST.match(server_name or "")
        return None if named is None else named[1]

    def account_host(self, server_name: str | None) -> str | None:
        """Answer the name in the form that begins with its account, where a configuration says whose it is."""
        domain = self.find(server_name)
        return server_name if domain is None else f"{domain.account}.{domain.name}"

    async def check(self, server_name: str | None, der: bytes, *, connection_id: str) -> NotAdmitted | None:
        """Say why a configuration's own check of certificates does not let a client in."""
        domain = self.find(server_name)
        if domain is None or self._checks is None:
            return None
        why = await self._checks.objection(domain, der, connection_id=connection_id)
        if why is None:
            return None
        principal = hashlib.sha256(der).hexdigest()
        return NotAdmitted(reason="NOT_AUTHENTICATED", detail=why, account=domain.account, principal=principal)

    def objection(self, way_in: WayIn | None, server_name: str | None) -> NotAdmitted | None:
        """Say why a connection may no longer come by the configuration that it came by."""
        if way_in is None or way_in.domain is None:
            return None
        domain = self.find(server_name)
        if domain is None or domain.configuration != way_in.domain:
            words = f"there is no domain configuration for {server_name} any more"
            return NotAdmitted(reason="DOMAIN_CONFIGURATION_INVALID", detail=words)
        if not domain.enabled:
            words = f"the domain configuration {domain.configuration} is disabled"
            return NotAdmitted(reason="DOMAIN_CONFIGURATION_DISABLED", detail=words, account=domain.account)
        return None
