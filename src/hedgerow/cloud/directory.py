"""Who holds a key or certificate, and what they may do: what the API asks for every request.

Read from the database once and remembered until a change is announced. Root may everything in its own account; users
and roles what their IAM policies say; certificates what their IoT policies say. A certificate's thing counts here only
when it is attached exclusively: without MQTT there is no client id that would name the thing.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hedgerow.api.ports import AccessKey, Grants
from hedgerow.base.errors import AccessDenied
from hedgerow.cloud.credentials import Credentials, Owners, Refused
from hedgerow.cloud.newcomers import Newcomers
from hedgerow.cloud.resource_facts import ResourceFacts
from hedgerow.cloud.standing import OwnAccount, Standings, compiled
from hedgerow.core import pki
from hedgerow.core.arn import arn, parse
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import AuthorisationChanged, Event, PrincipalCut
from hedgerow.core.policy import Context, Dialect, compile_policies
from hedgerow.services.iam.access_keys import AccessKeyReader
from hedgerow.services.iam.entities import Entities
from hedgerow.services.iam.entity_policies import EntityPolicyReader
from hedgerow.services.iam.groups import GroupReader
from hedgerow.services.iam.roles import Role, RoleReader
from hedgerow.services.iam.users import User, UserReader
from hedgerow.services.iot.ca_certificates import CaCertificateStore
from hedgerow.services.iot.certificates import Certificate, CertificateStore
from hedgerow.services.iot.claims import ClaimReader
from hedgerow.services.iot.policies import EffectivePolicies
from hedgerow.services.iot.thing_types import ThingTypeStore
from hedgerow.services.iot.things import Thing, ThingStore
from hedgerow.services.sts.sessions import TEMPORARY, Session, SessionKind, SessionReader
from hedgerow.store import Run, Tx

T = TypeVar("T")

REMEMBERED: Final = 4096  # of each kind; the oldest go first
CERTIFICATES: Final = 16_384  # about 1 kB each


class CertificateRefused(AccessDenied):
    """The client certificate cannot be used here; the message says why."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"Certificate is invalid on this endpoint: {refused.reason}: {refused.detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """Where everything is read. They hold no state of their own."""

    access_keys: AccessKeyReader
    sessions: SessionReader
    users: UserReader
    groups: GroupReader
    roles: RoleReader
    entity_policies: EntityPolicyReader
    standings: Standings
    certificates: CertificateStore
    cas: CaCertificateStore
    effective: EffectivePolicies
    things: ThingStore
    types: ThingTypeStore
    claims: ClaimReader

    def owners(self, tx: Tx, certificate_id: str) -> Owners:
        """Answer which accounts have the certificate."""
        return Owners.read(tx, certificate_id, certificates=self.certificates, cas=self.cas)


class Directory:
    """Implements `api.ports.Directory`. Lives on the loop."""

    def __init__(
        self, *, run: Run, credentials: Credentials, readers: Readers, newcomers: Newcomers, region: str
    ) -> None:
        self._run = run
        self._credentials = credentials
        self._readers = readers
        self._newcomers = newcomers
        self._region = region
        self._standings = readers.standings
        self._facts = ResourceFacts(users=readers.users, roles=readers.roles)
        self._changes = 0
        self._keys: dict[str, AccessKey] = {}
        self._owners: dict[str, Owners] = {}
        self._grants: dict[tuple[str, str], Grants] = {}

    def announce(self, event: Event) -> None:
        """Take note of a committed event: forget what it may have changed."""
        if not isinstance(event, AuthorisationChanged | PrincipalCut):
            return
        self._changes += 1
        named = event.principals if isinstance(event, AuthorisationChanged) else frozenset({event.principal})
        if named and all(_is_certificate(name) for name in named):
            for name in named:
                self._owners.pop(name, None)
                self._grants.pop((event.account, name), None)
            return
        self._keys.clear()
        self._owners.clear()
        self._grants.clear()

    async def access_key(self, access_key_id: str) -> AccessKey | None:
        return await self._remembered(self._keys, access_key_id, lambda tx: self._read_key(tx, access_key_id))

    async def grants(self, caller: Caller) -> Grants:
        if caller.kind is Kind.SERVICE or (caller.kind is Kind.ROOT and not _is_session(caller)):
            return OwnAccount(caller.account)
        key = (caller.account, caller.certificate_id or caller.access_key_id or caller.principal)
        found = await self._remembered(self._grants, key, lambda tx: self._read_grants(tx, caller))
        return compile_policies((), dialect=Dialect.IAM) if found is None else found

    async def vouched(self, caller: Caller, policies: Sequence[str]) -> Grants:
        """Answer what a certificate may do by its own policies and by these, which an authorizer said."""
        certificate_id = caller.certificate_id or ""
        known = await self._run.read(lambda tx: self._certificate_grants(tx, caller, certificate_id, policies))
        return compile_policies((), dialect=Dialect.IOT) if known is None else known

    async def whole_arn(self, resource: str) -> str:
        named = parse(resource) if resource.startswith("arn:aws:iam::") else None
        kind, _, name = ("", "", "") if named is None else named.resource.partition("/")
        kinds: dict[str, Entities] = {
            "role": self._readers.roles,
            "user": self._readers.users,
            "group": self._readers.groups,
        }
        readers = kinds.get(kind)
        if named is None or readers is None or "/" in name or not name:
            return resource
        return await self._run.read(lambda tx: readers.arn_of(tx, named.account, name)) or resource

    async def facts_of(self, account: str, resource: str) -> Context:
        return await self._run.read(lambda tx: self._facts.of(tx, account, resource))

    async def certificate(self, der: bytes, server_name: str | None, source_ip: str | None) -> Caller:
        certificate_id = hashlib.sha256(der).hexdigest()
        waiting: set[str] = set()
        owners = await self._read_owners(certificate_id, waiting)
        chosen = self._credentials.choose(owners, certificate_id, server_name)
        if isinstance(chosen, Refused) and owners.entries:
            self._owners.pop(certificate_id, None)  # another account may have registered it meanwhile
            chosen = self._credentials.choose(await self._read_owners(certificate_id), certificate_id, server_name)
        if isinstance(chosen, Refused):
            raise CertificateRefused(chosen)
        account, _ = chosen
        if account in waiting:
            await self._newcomers.came(account, certificate_id)
        return Caller(
            account=account,
            region=self._region,
            principal=arn("iot", self._region, account, f"cert/{certificate_id}"),
            kind=Kind.CERTIFICATE,
            request_id="",
            source_ip=source_ip,
            certificate_id=certificate_id,
        )

    async def _read_owners(self, certificate_id: str, waiting: set[str] | None = None) -> Owners:
        """Answer them; `waiting` gets the accounts whose device has been provisioned and has not come as itself yet.

        Provisioning makes us forget a certificate, so this is seen although it is not asked for what is remembered.
        """

        def read(tx: Tx) -> Owners | None:
            found = self._readers.owners(tx, certificate_id)
            if waiting is not None:
                waiting.update(
                    account for account, _ in found.entries if self._newcomers.is_waiting(tx, account, certificate_id)
                )
            return found if found.entries else None

        found = await self._remembered(self._owners, certificate_id, read) or Owners(())
        if not found.proved:
            self._owners.pop(certificate_id, None)
        return found

    async def _remembered(self, cache: dict[Any, T], key: Any, read: Callable[[Tx], T | None]) -> T | None:
        """Answer from memory, else read; what was read while something changed is not kept, nor is a None."""
        known = cache.get(key)
        if known is not None:
            return known
        changes = self._changes
        found = await self._run.read(read)
        if found is not None and changes == self._changes:
            while len(cache) >= REMEMBERED:
                cache.pop(next(iter(cache)))
            cache[key] = found
        return found

    def _read_key(self, tx: Tx, access_key_id: str) -> AccessKey | None:
        long_lived = self._readers.access_keys.find(tx, access_key_id)
        if long_lived is None:
            return self._read_session(tx, access_key_id)
        key, secret = long_lived
        if not key.active:
            return None
        if not key.user:
            root = arn("iam", "", key.account, "root")
            return AccessKey(account=key.account, principal=root, kind=Kind.ROOT, secret=secret)
        user = self._readers.users.find(tx, key.account, key.user)
        if user is None:
            return None
        return AccessKey(account=key.account, principal=user.arn, kind=Kind.USER, secret=secret)

    def _read_session(self, tx: Tx, access_key_id: str) -> AccessKey | None:
        session = self._readers.sessions.find(tx, access_key_id)
        if session is None or not is_owner_there(self._readers, tx, session):
            return None
        return AccessKey(
            account=session.account,
            principal=session.principal,
            kind=_KINDS[session.kind],
            secret=session.secret,
            session_token=session.token,
            expires_at=session.expires_at,
        )

    def _read_grants(self, tx: Tx, caller: Caller) -> Grants | None:
        if caller.kind is Kind.CERTIFICATE and caller.certificate_id is not None:
            return self._certificate_grants(tx, caller, caller.certificate_id)
        if caller.kind not in (Kind.ROOT, Kind.USER, Kind.ROLE, Kind.FEDERATED):
            return None
        return self._standings.of(tx, caller).rights

    def _certificate_grants(
        self, tx: Tx, caller: Caller, certificate_id: str, more: Sequence[str] = ()
    ) -> Grants | None:
        certificate = self._readers.certificates.get(tx, caller.account, certificate_id)
        if certificate is None:
            return None
        if self._readers.claims.of(tx, caller.account, certificate_id) is not None:
            return compile_policies((), dialect=Dialect.IOT)  # what a claim may do, it does by MQTT
        thing, _ = self._readers.things.spoken_for(tx, caller.account, certificate_id)
        documents = self._readers.effective.of(
            tx, caller.account, certificate_id, [] if thing is None else [thing.name]
        )
        documents = [*documents, *(("the authorizer's", text) for text in more)]
        return compiled(documents, Dialect.IOT, certificate_variables(certificate, thing))


def is_owner_there(readers: Readers, tx: Tx, session: Session) -> bool:
    """Tell whether the session's role or user is still the one it was made for, not a new one of the same name."""
    if not session.name:  # of root
        return True
    found: Role | User | None
    if session.kind is SessionKind.ROLE:
        found = readers.roles.find(tx, session.account, session.name)
    else:
        found = readers.users.find(tx, session.account, session.name)
    return found is not None and found.id == session.owner_id


_KINDS: Final = {
    SessionKind.ROLE: Kind.ROLE,
    SessionKind.USER: Kind.USER,
    SessionKind.ROOT: Kind.ROOT,
    SessionKind.FEDERATED: Kind.FEDERATED,
}


class UsableKeys:
    """Tells whether an access key can still be used (for console sign-in)."""

    def __init__(self, *, access_keys: AccessKeyReader, sessions: SessionReader) -> None:
        self._access_keys = access_keys
        self._sessions = sessions

    def usable(self, tx: Tx, access_key_id: str) -> bool:
        """Answer whether the key is there, active, and not over."""
        found = self._access_keys.find(tx, access_key_id)
        if found is not None:
            return found[0].active
        session = self._sessions.find(tx, access_key_id)
        return session is not None and session.expires_at > tx.now


class _Said:
    """What certificates say of themselves, by their ids: it never changes. Asked from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Mapping[str, str]] = OrderedDict()

    def of(self, certificate: Certificate) -> Mapping[str, str]:
        known = self._known.get(certificate.id)
        if known is None:
            known = pki.policy_variables_of(certificate.pem)
            with self._lock:
                self._known[certificate.id] = known
                if len(self._known) > CERTIFICATES:
                    self._known.popitem(last=False)
        return known


_SAID: Final = _Said()


def certificate_variables(certificate: Certificate, thing: Thing | None) -> dict[str, str]:
    """Answer the policy variables that a certificate and its thing give."""
    variables = {"iot:CertificateId": certificate.id, **_SAID.of(certificate)}
    if thing is not None:
        variables["iot:Connection.Thing.ThingName"] = thing.name
        if thing.type is not None:
            variables["iot:Connection.Thing.ThingTypeName"] = thing.type
        for name, value in thing.attributes.items():
            variables[f"iot:Connection.Thing.Attributes[{name}]"] = value
    return variables


def _is_session(caller: Caller) -> bool:
    return caller.access_key_id is not None and caller.access_key_id.startswith(TEMPORARY)


def _is_certificate(principal: str) -> bool:
    return ":" not in principal
