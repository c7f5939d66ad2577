"""Who may connect by MQTT, as whom, and with which policies: control's answer to the gateway's `Admit`.

A certificate gets its IoT policies and, when its thing is known, those of the thing's groups. The thing is the one that
is attached exclusively, else the one whose name is the client id and that the certificate is attached to. A signed
caller (WebSocket) gets its IAM policies. Whoever has neither, and came where one is not demanded, is what a custom
authorizer says. A claim is let in with a claim's rights. Every connection asks anew; nothing is remembered here. One
that is refused may set off just-in-time registration or provisioning.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.cloud.claimants import Claimants, network
from hedgerow.cloud.credentials import Credentials, Refused
from hedgerow.cloud.custom_authentication import Strangers, authorizer_names
from hedgerow.cloud.device_standing import DeviceStanding
from hedgerow.cloud.directory import Readers, is_owner_there
from hedgerow.cloud.domains import Domains
from hedgerow.cloud.newcomers import Newcomers
from hedgerow.cloud.standing import entity_of
from hedgerow.core.arn import arn, parse
from hedgerow.core.caller import DIRECT, Caller, Kind
from hedgerow.core.policy import AllOf, Context, Dialect, Rights, Verdict, compile_policies, mentions
from hedgerow.core.tls import Proof
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted, Way
from hedgerow.services.iot.ca_certificates import JustInTimeFlows
from hedgerow.services.iot.things import Thing
from hedgerow.services.sts.sessions import Session, SessionKind
from hedgerow.store import Run, Tx

_ANY: Final = frozenset({Proof.X509, Proof.SIGV4, Proof.CUSTOM})
_TIMES: Final = frozenset({"aws:currenttime", "aws:epochtime"})


class Admission:
    """Answers `Admit`."""

    def __init__(
        self,
        *,
        run: Run,
        credentials: Credentials,
        readers: Readers,
        just_in_time: JustInTimeFlows,
        strangers: Strangers,
        claimants: Claimants,
        newcomers: Newcomers,
        domains: Domains,
        region: str,
    ) -> None:
        self._run = run
        self._region = region
        self._credentials = credentials
        self._readers = readers
        self._just_in_time = just_in_time
        self._strangers = strangers
        self._claimants = claimants
        self._newcomers = newcomers
        self._domains = domains
        self._standing = DeviceStanding(certificates=readers.certificates, things=readers.things)

    async def admit(self, question: Admit) -> Admitted | NotAdmitted:
        """Say who this is and what it may do, or why it is not let in."""
        if wrong := wrong_way(question) or self._domains.objection(question.way_in, question.server_name):
            return wrong
        if question.certificate is not None:
            return await self._checked(question, question.certificate)
        if question.signed_by is not None and question.signed_account is not None:
            principal, account = question.signed_by, question.signed_account
            return await self._run.read(lambda tx: self._by_signature(tx, question, principal, account))
        if question.way is not Way.CERTIFICATE:
            return await self._strangers.admit(question, network(question))
        detail = "the client showed no certificate"
        if "x-amz-customauthorizer-" in (question.username or "").lower():
            detail += "; custom authorizers are not asked here: use the ALPN name mqtt, or MQTT over WebSocket"
        return NotAdmitted(reason="NOT_AUTHENTICATED", detail=detail)

    async def admit_many(self, questions: Sequence[Admit]) -> Sequence[Admitted | NotAdmitted]:
        """Say the same of connections that are there, in one look at the database where that is all it takes."""
        plain = [self._is_plain(question) for question in questions]

        def look(tx: Tx) -> list[Admitted | None]:
            both = zip(questions, plain, strict=True)
            return [self._at_a_glance(tx, question) if is_plain else None for question, is_plain in both]

        found = await self._run.read(look)
        both = zip(questions, found, strict=True)
        return [await self.admit(question) if known is None else known for question, known in both]

    def _is_plain(self, question: Admit) -> bool:
        """Tell whether a certificate and the database say everything about a connection."""
        if question.certificate is None or _is_vouched_for(question) or wrong_way(question) is not None:
            return False
        by_domain = question.way_in is not None and question.way_in.domain is not None
        return not by_domain or (
            question.checked and self._domains.objection(question.way_in, question.server_name) is None
        )

    def _at_a_glance(self, tx: Tx, question: Admit) -> Admitted | None:
        """Answer who is let in without more ado; None for all others."""
        reply = self._by_certificate(tx, question, question.certificate or b"")
        return None if isinstance(reply, NotAdmitted) else reply  # nothing of it is news: it came in once

    async def _checked(self, question: Admit, der: bytes) -> Admitted | NotAdmitted:
        """Answer for a certificate, once a domain configuration's own function has nothing against it."""
        by_domain = question.way_in is not None and question.way_in.domain is not None
        if by_domain and not question.checked:
            wrong = await self._domains.check(question.server_name, der, connection_id=question.connection_id)
            if wrong is not None:
                return wrong
        reply, news = await self._run.read(lambda tx: self._looked_at(tx, question, der))
        if news:
            await self._newcomers.note(question, reply)
        if isinstance(reply, Admitted) and _is_vouched_for(question):
            return await self._beside(question, der, reply)
        if isinstance(reply, NotAdmitted):
            await self._just_in_time.refused(der, self._domains.account_host(question.server_name), question.peer)
        return reply

    async def _beside(self, question: Admit, der: bytes, admitted: Admitted) -> Admitted | NotAdmitted:
        """What an authorizer says is good beside what the certificate's policies say."""
        vouched = question.vouched or await self._strangers.vouch(question, der, admitted)
        if isinstance(vouched, NotAdmitted):
            return vouched
        return replace(
            admitted,
            policies=admitted.policies + vouched.policies,
            names=admitted.names + authorizer_names(vouched.policies),
            ends_at=vouched.ends_at if admitted.ends_at is None else min(vouched.ends_at, admitted.ends_at),
            refresh_at=vouched.refresh_at,
            vouched=vouched,
        )

    def _looked_at(self, tx: Tx, question: Admit, der: bytes) -> tuple[Admitted | NotAdmitted, bool]:
        """Answer what is said of a certificate, and whether that is to be noted."""
        reply = self._by_certificate(tx, question, der)
        return reply, self._newcomers.is_news(tx, question, reply)

    def _by_certificate(self, tx: Tx, question: Admit, der: bytes) -> Admitted | NotAdmitted:
        certificate_id = hashlib.sha256(der).hexdigest()
        owners = self._readers.owners(tx, certificate_id)
        if not owners.entries and (answer := self._claimants.temporary(tx, question, certificate_id)) is not None:
            return answer
        chosen = self._credentials.choose(owners, certificate_id, question.server_name)
        if isinstance(chosen, Refused):
            return NotAdmitted(
                reason=chosen.reason, detail=chosen.detail, account=chosen.account, principal=certificate_id
            )
        account, certificate = chosen
        thing, exclusive, variables = self._standing.of(tx, account, certificate, question.client_id)
        names = [] if thing is None else [thing.name]
        policies = self._readers.effective.of(tx, account, certificate_id, names)
        admitted = Admitted(
            account=account,
            principal=certificate_id,
            policies=tuple(document for _, document in policies),
            names=tuple(f"policy {name}" for name, _ in policies),
            dialect=Dialect.IOT.value,
            variables=network(question) | variables,
            thing=thing.name if thing is not None and exclusive else None,
            enrichment=self._enrichment(tx, account, thing, question.client_id),
            ends_at=certificate.not_after,
        )
        return self._claimants.limited(tx, question, admitted)

    def _enrichment(self, tx: Tx, account: str, thing: Thing | None, client_id: str) -> tuple[tuple[str, str], ...]:
        """Answer what the thing's type adds to the publications of its device."""
        if thing is None or thing.type is None:
            return ()
        kind = self._readers.types.get(tx, account, thing.type)
        return () if kind is None else kind.enrichment(thing.name, thing.attributes, client_id)

    def _by_signature(self, tx: Tx, question: Admit, principal: str, account: str) -> Admitted | NotAdmitted:
        caller = Caller(
            account=account,
            region=self._region,
            principal=principal,
            kind=kind_of(principal),
            request_id="",
            source_ip=question.peer,
            secure=question.secure,
            access_key_id=question.signed_key,
        )
        session = self._readers.sessions.find(tx, question.signed_key) if question.signed_key else None
        if objection := self._objection(tx, caller, session):
            return objection
        sources = self._readers.standings.sources(tx, caller, session)
        return Admitted(
            account=account,
            principal=principal,
            policies=tuple(document for _, document in sources.documents),
            names=tuple(f"policy {name}" for name, _ in sources.documents),
            limits=tuple(tuple(document for _, document in documents) for _, documents in sources.limits),
            dialect=Dialect.IAM.value,
            variables={**network(question), **_request(caller), **sources.variables},
            ends_at=None if session is None else session.expires_at,
            behind=self._behind(tx, session),
        )

    def _behind(self, tx: Tx, session: Session | None) -> str | None:
        """Answer the ARN of the user, or root, who answers for a federated user."""
        if session is None or session.kind is not SessionKind.FEDERATED:
            return None
        if not session.name:
            return arn("iam", "", session.account, "root")
        return self._readers.users.arn_of(tx, session.account, session.name)

    def _objection(self, tx: Tx, caller: Caller, session: Session | None) -> NotAdmitted | None:
        """Say why the signature's key is of no use by now; it was good when the upgrade was signed."""
        over = session is not None and session.expires_at <= tx.now
        if over or (session is None and caller.kind in (Kind.ROLE, Kind.FEDERATED)):
            return NotAdmitted(
                reason="SECURITY_TOKEN_EXPIRED", detail=f"this session of {caller.principal} is not live"
            )
        gone = f"there is no {caller.principal}"
        if session is not None:
            mine = (session.account, session.principal) == (caller.account, caller.principal)
            if not mine or not is_owner_there(self._readers, tx, session):
                return NotAdmitted(reason="SECURITY_TOKEN_INVALID", detail=gone)
            return None
        if caller.kind is Kind.USER:
            _, name = entity_of(caller.principal)
            if self._readers.users.find(tx, caller.account, name) is None:
                return NotAdmitted(reason="SECURITY_TOKEN_INVALID", detail=gone)
        if caller.access_key_id is not None:
            known = self._readers.access_keys.find(tx, caller.access_key_id)
            if known is None or not known[0].active or known[0].account != caller.account:
                detail = f"the access key {caller.access_key_id} of {caller.principal} is not active any more"
                return NotAdmitted(reason="SECURITY_TOKEN_INVALID", detail=detail)
        return None


def _request(caller: Caller) -> dict[str, str]:
    """Answer the condition keys that AWS has of every request, but for the time."""
    return {
        **DIRECT,
        "aws:RequestedRegion": caller.region,
        "aws:ResourceAccount": caller.account,  # there are no topics but one's own
        "aws:SecureTransport": "true" if caller.secure else "false",
    }


def wrong_way(question: Admit) -> NotAdmitted | None:
    """Say why a client may not prove itself like this where it came in."""
    proofs = _ANY if question.way_in is None else question.way_in.proofs
    if question.certificate is not None and proofs & {Proof.X509, Proof.X509_AND_CUSTOM}:
        return None
    if question.signed_by is not None and Proof.SIGV4 in proofs:
        return None
    if question.certificate is None and question.signed_by is None and Proof.CUSTOM in proofs:
        return None  # who it is, is asked below
    asked = ", ".join(sorted(proof.value for proof in proofs)) or "nothing"
    return NotAdmitted(
        reason="NOT_AUTHENTICATED", detail=f"this way in is for clients that prove themselves by {asked}"
    )


def _is_vouched_for(question: Admit) -> bool:
    return question.way_in is not None and Proof.X509_AND_CUSTOM in question.way_in.proofs


def kind_of(principal: str) -> Kind:
    """Answer what kind of signer an ARN names."""
    parsed = parse(principal)
    head = "" if parsed is None else parsed.resource.partition("/")[0]
    return {"root": Kind.ROOT, "assumed-role": Kind.ROLE, "federated-user": Kind.FEDERATED}.get(head, Kind.USER)


class TimedGrants:
    """Grants that some statement ties to the time: tells them what time it is with every question."""

    def __init__(self, grants: Rights, clock: Clock) -> None:
        self._grants = grants
        self._clock = clock

    def decide(self, action: str, resource: str, context: Mapping[str, Any] | None = None) -> Verdict:
        now = self._clock.now()
        timed: Context = {
            **(context or {}),
            "aws:CurrentTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:EpochTime": str(int(now)),
        }
        return self._grants.decide(action, resource, timed)


class GrantsCompiler:
    """Compiles what was admitted, for the gateway: `compile_grants(admitted, client_id)`."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, admitted: Admitted, client_id: str) -> Rights | TimedGrants:
        """Answer the grants of one connection. Raises MalformedPolicy for documents that were never validated."""
        dialect, variables = Dialect(admitted.dialect), {"iot:ClientId": client_id, **admitted.variables}
        layers = [
            compile_policies(documents, dialect=dialect, variables=variables, names=names)
            for documents, names in ((admitted.policies, admitted.names), *((limit, ()) for limit in admitted.limits))
        ]
        grants = (
            layers[0] if len(layers) == 1 else AllOf([("", layers[0]), *(("a limit", each) for each in layers[1:])])
        )
        timed = any(mentions(documents, dialect, _TIMES) for documents in (admitted.policies, *admitted.limits))
        return TimedGrants(grants, self._clock) if timed else grants
