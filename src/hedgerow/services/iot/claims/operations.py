"""The operations on claims: register a certificate as one, describe, list, take back.

A claim that is put again keeps the number of devices that it has provisioned. Taking a registered one back makes it an
ordinary certificate, or an implied claim, by its policies; taking a temporary one back ends it and its connections.
These are operations of our own service `hedgerow`; AWS has none for it.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged, Event, PrincipalCut
from hedgerow.core.paging import InvalidToken
from hedgerow.core.request import Request
from hedgerow.services.iot.claims.errors import ClaimNotFound, InvalidClaim, IsADevice, NoCertificate
from hedgerow.services.iot.claims.model import (
    MOST_NETWORKS,
    MOST_TEMPLATES,
    Claim,
    Kind,
    checked_networks,
)
from hedgerow.services.iot.claims.reader import ClaimReader
from hedgerow.services.iot.claims.store import ClaimStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

_AT_ONCE: Final = 200


class Certificates(Protocol):
    """What claims need of certificates."""

    def exists(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether the account has a certificate of that id."""
        ...


class Link(Protocol):
    """An attachment between a thing and a certificate."""

    @property
    def thing(self) -> str:
        """The thing's name."""
        ...


class Things(Protocol):
    """What claims need of things."""

    def things_of(self, tx: Tx, account: str, principal: str, *, limit: int) -> Sequence[Link]:
        """Answer the things that the certificate is attached to, `limit` at most."""
        ...


class Policies(Protocol):
    """What claims need of policies."""

    def provisioning_targets(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[str]:
        """Answer certificate ids, in order, with policies that speak of the provisioning topics, those after one."""
        ...


class Template(Protocol):
    """What claims look at in a template."""

    @property
    def just_in_time(self) -> bool:
        """Whether it is for devices that connect with a certificate of a registered CA, and no other."""
        ...


class Templates(Protocol):
    """The rows of provisioning templates."""

    def get(self, tx: Tx, account: str, name: str) -> Template | None:
        """Answer the template, or None."""
        ...


class ClaimOperations:
    """The operations on claims."""

    def __init__(
        self,
        *,
        claims: ClaimStore,
        reader: ClaimReader,
        certificates: Certificates,
        things: Things,
        policies: Policies,
        templates: Templates,
        pages: Pages,
    ) -> None:
        self._claims = claims
        self._reader = reader
        self._certificates = certificates
        self._things = things
        self._policies = policies
        self._templates = templates
        self._pages = pages

    def put_claim(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate_id = request["certificateId"].lower()
        if not self._certificates.exists(tx, caller.account, certificate_id):
            raise NoCertificate(certificate_id)
        for link in self._things.things_of(tx, caller.account, certificate_id, limit=1):
            raise IsADevice(certificate_id, link.thing)
        before = self._claims.get(tx, caller.account, certificate_id)
        begin, end = request.get("notBefore"), request.get("notAfter")
        if begin is not None and end is not None and _seconds(begin) >= _seconds(end):
            raise InvalidClaim("notBefore must be earlier than notAfter")
        claim = Claim(
            certificate_id=certificate_id,
            kind=Kind.REGISTERED,
            templates=_templates(request),
            devices=request.get("devices"),
            used=0 if before is None else before.used,
            not_before=None if begin is None else _seconds(begin),
            not_after=None if end is None else _seconds(end),
            networks=_networks(request),
            created_by=caller.principal,
            created_at=tx.now,
        )
        self._check_templates(tx, caller, claim.templates or ())
        self._claims.put(tx, caller.account, claim)
        return Answer({"claim": _shown(caller, claim)}, events=_changed(caller, certificate_id))

    def get_claim(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"claim": _shown(caller, self._get(tx, request, caller))})

    def list_claims(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        try:
            page = self._pages.by_token(request, caller, "ListClaims")
        except InvalidToken as error:
            raise InvalidClaim("The nextToken is not valid.") from error
        found = self._found(tx, caller.account, after=page.after(), limit=page.limit)
        return Answer(page.answer("claims", found, key=lambda c: (c.certificate_id,), show=lambda c: _shown(caller, c)))

    def delete_claim(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        claim = self._get(tx, request, caller)
        if claim.kind is Kind.IMPLIED:
            raise InvalidClaim("Its policies make this certificate a claim: detach them, or attach another one")
        self._claims.remove(tx, caller.account, claim.certificate_id)
        events = _changed(caller, claim.certificate_id)
        if claim.kind is Kind.TEMPORARY:
            cut = PrincipalCut(account=caller.account, principal=claim.certificate_id, reason="the claim was deleted")
            events = (cut, *events)
        return Answer({}, events=events)

    def _found(self, tx: Tx, account: str, *, after: str, limit: int) -> list[Claim]:
        """Answer claims of every kind by their certificate ids, those after one."""
        found: list[Claim] = []
        while len(found) < limit:
            written = [claim.certificate_id for claim in self._claims.list(tx, account, after=after, limit=_AT_ONCE)]
            implied = self._policies.provisioning_targets(tx, account, after=after, limit=_AT_ONCE)
            ids = sorted({*written, *implied})[:_AT_ONCE]
            if not ids:
                break
            claims = (self._reader.of(tx, account, certificate_id) for certificate_id in ids)
            found.extend(claim for claim in claims if claim is not None)
            after = ids[-1]
        return found[:limit]

    def _check_templates(self, tx: Tx, caller: Caller, names: Sequence[str]) -> None:
        """Raise InvalidClaim for a template by which no device could come in: a misspelt one would cut each of them."""
        for name in names:
            template = self._templates.get(tx, caller.account, name)
            if template is None:
                raise InvalidClaim(f"There is no provisioning template named {name}")
            if template.just_in_time:
                raise InvalidClaim(f"The template {name} is of type JITP: claims are for those of fleet provisioning")

    def _get(self, tx: Tx, request: Request, caller: Caller) -> Claim:
        certificate_id = request["certificateId"].lower()
        found = self._reader.of(tx, caller.account, certificate_id)
        if found is None:
            raise ClaimNotFound(certificate_id)
        return found


def _templates(request: Request) -> tuple[str, ...] | None:
    given = request.get("templates")
    if given is None:
        return None
    names = tuple(dict.fromkeys(given))
    if not 1 <= len(names) <= MOST_TEMPLATES:
        raise InvalidClaim(f"templates must name 1 to {MOST_TEMPLATES} templates; without it there is no limit")
    return names


def _networks(request: Request) -> tuple[str, ...]:
    given = tuple(request.get("networks") or ())
    if len(given) > MOST_NETWORKS:
        raise InvalidClaim(f"networks may have {MOST_NETWORKS} entries at most")
    return checked_networks(given)


def _seconds(moment: Any) -> float:
    return float(moment.timestamp() if hasattr(moment, "timestamp") else moment)


def _changed(caller: Caller, certificate_id: str) -> tuple[Event, ...]:
    return (AuthorisationChanged(account=caller.account, principals=frozenset({certificate_id})),)


def _shown(caller: Caller, claim: Claim) -> dict[str, Any]:
    unlimited = claim.devices is None and claim.not_after is None and not claim.networks and claim.templates is None
    written = {
        "certificateId": claim.certificate_id,
        "certificateArn": arn("iot", caller.region, caller.account, f"cert/{claim.certificate_id}"),
        "kind": claim.kind.value,
        "unlimited": unlimited,
        "templates": None if claim.templates is None else list(claim.templates),
        "devices": claim.devices,
        "devicesUsed": claim.used,
        "notBefore": claim.not_before,
        "notAfter": claim.not_after,
        "networks": list(claim.networks) or None,
        "createdBy": claim.created_by,
        "createdAt": claim.created_at,
    }
    return {name: value for name, value in written.items() if value is not None}
