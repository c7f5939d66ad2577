"""CreateProvisioningClaim: a certificate that is good for some minutes and for being provisioned, for a trusted user.

It is in no registry: nothing lists it, attaches policies to it or activates it. Its key is answered once.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from hedgerow.core import pki
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.claims.errors import TemplateNotFound, TemplateUnusable
from hedgerow.services.iot.claims.model import TEMPORARY_S, Claim, Kind
from hedgerow.services.iot.claims.store import OVER, ClaimStore
from hedgerow.store import Answer, Run, Tx


class Issued(Protocol):
    """A certificate for a key that was made for it."""

    @property
    def certificate_pem(self) -> str:
        """The certificate."""
        ...

    @property
    def public_key_pem(self) -> str:
        """The public key."""
        ...

    @property
    def private_key_pem(self) -> str:
        """The private key: handed on once, never stored or logged."""
        ...


class Authority(Protocol):
    """Makes device keys and certificates. Off the loop, with a deadline."""

    async def issue(self, *, valid_s: float | None = None) -> Issued:
        """Make a key and a certificate for it, which ends after so long."""
        ...


class Template(Protocol):
    """What claims look at in a template."""

    @property
    def enabled(self) -> bool:
        """Whether it provisions devices."""
        ...

    @property
    def just_in_time(self) -> bool:
        """Whether it is for devices that connect with a certificate of a registered CA, and no other."""
        ...


class Templates(Protocol):
    """The rows of provisioning templates."""

    def get(self, tx: Tx, account: str, name: str) -> Template | None:
        """Answer the template, or None."""
        ...


class ClaimFlows:
    """The operation on claims with a step outside the transaction."""

    def __init__(self, *, run: Run, authority: Authority, templates: Templates, claims: ClaimStore) -> None:
        self._run = run
        self._authority = authority
        self._templates = templates
        self._claims = claims

    async def create_provisioning_claim(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        name = request["templateName"]
        await self._run.read(lambda tx: self._check(tx, caller, name))
        issued = await self._authority.issue(valid_s=TEMPORARY_S)
        certificate_id = pki.certificate_id(issued.certificate_pem)

        def step(tx: Tx) -> Answer:
            self._check(tx, caller, name)
            end = tx.now + TEMPORARY_S
            claim = Claim(
                certificate_id=certificate_id,
                kind=Kind.TEMPORARY,
                templates=(name,),
                not_after=end,
                created_by=caller.principal,
                created_at=tx.now,
            )
            self._claims.put(tx, caller.account, claim)
            tx.follow_up(OVER, account=caller.account, key=certificate_id, body={}, due_at=end)
            return Answer({"certificateId": certificate_id, "expiration": end})

        answer = (await self._run.write(step)).response
        keys = {"PublicKey": issued.public_key_pem, "PrivateKey": issued.private_key_pem}
        return {**answer, "certificatePem": issued.certificate_pem, "keyPair": keys}

    def _check(self, tx: Tx, caller: Caller, name: str) -> None:
        template = self._templates.get(tx, caller.account, name)
        if template is None:
            raise TemplateNotFound(name)
        if template.just_in_time:
            raise TemplateUnusable(f"Template {name} is of type JITP, which no claim is for")
        if not template.enabled:
            raise TemplateUnusable(f"Template {name} is not enabled")
