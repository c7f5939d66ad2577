"""The registry of things, groups, certificates and policies, joined as the cloud joins it, over a store in memory."""

import datetime
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.services.iot.billing_groups import BillingGroupOperations, BillingGroupStore
from hedgerow.services.iot.ca_certificates import CaCertificateOperations, CaCertificateStore, RegistrationCodeStore
from hedgerow.services.iot.certificates import (
    Certificate,
    CertificateOperations,
    CertificateStore,
    CertificateTransferOperations,
    Mode,
    OfferStore,
    Status,
)
from hedgerow.services.iot.claims import ClaimOperations, ClaimReader, ClaimStore
from hedgerow.services.iot.groups import GroupOperations, GroupStore
from hedgerow.services.iot.onboarding import NOTED, Attempts, OnboardingOperations, OnboardingStore
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.policies import (
    EffectivePolicies,
    PolicyAttachmentOperations,
    PolicyOperations,
    PolicyStore,
)
from hedgerow.services.iot.provisioning import EnrolmentStore, Registration, Rights, Steps
from hedgerow.services.iot.provisioning_templates import TemplateStore
from hedgerow.services.iot.thing_types import ThingTypeOperations, ThingTypeStore
from hedgerow.services.iot.things import ThingOperations, ThingPrincipalOperations, ThingStore
from hedgerow.store import Tx, metadata
from tests.support.clock import FakeIds
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

ALLOW_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}'


@cache
def _key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def certificate_pem(serial: int = 1, common_name: str = "AWS IoT Certificate", key_number: int | None = None) -> str:
    """Answer a self-signed certificate; the same arguments give the same one within a run.

    Each serial has a key of its own, unless a number is given for it.
    """
    key = _key(-serial if key_number is None else key_number)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=datetime.UTC))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(Encoding.PEM).decode("ascii")


class KnownAccounts:
    """The accounts of the cloud."""

    def __init__(self, ids: set[str]) -> None:
        self._ids = ids

    def exists(self, tx: Tx, account: str) -> bool:
        return account in self._ids


class KnownRoles:
    """Every role of the account exists."""

    def by_arn(self, tx: Tx, account: str, arn: str) -> object | None:
        return arn if arn.startswith(f"arn:aws:iam::{account}:role/") else None


class Registry:
    """All registry subjects over one store."""

    def __init__(
        self,
        *,
        things: ThingStore | None = None,
        types: ThingTypeStore | None = None,
        groups: GroupStore | None = None,
    ) -> None:
        self.ids = FakeIds()
        self.pages = Pages(Pager(b"k" * 32))
        self.thing_store, self.type_store = things or ThingStore(), types or ThingTypeStore()
        self.group_store = groups or GroupStore()
        self.certificate_store, self.policy_store = CertificateStore(), PolicyStore()
        self.ca_store, self.billing_store = CaCertificateStore(), BillingGroupStore()
        self.effective = EffectivePolicies(policies=self.policy_store, things=self.thing_store, groups=self.group_store)
        self.things = ThingOperations(
            things=self.thing_store,
            types=self.type_store,
            memberships=self.group_store,
            billing=self.billing_store,
            pages=self.pages,
            ids=self.ids,
        )
        self.principals = ThingPrincipalOperations(
            things=self.thing_store, certificates=self.certificate_store, pages=self.pages
        )
        self.types = ThingTypeOperations(types=self.type_store, things=self.thing_store, pages=self.pages, ids=self.ids)
        self.groups = GroupOperations(
            groups=self.group_store,
            things=self.thing_store,
            policies=self.policy_store,
            pages=self.pages,
            ids=self.ids,
        )
        self.billing = BillingGroupOperations(
            groups=self.billing_store, things=self.thing_store, pages=self.pages, ids=self.ids
        )
        self.certificates = CertificateOperations(
            certificates=self.certificate_store,
            authorities=self.ca_store,
            things=self.thing_store,
            policies=self.policy_store,
            pages=self.pages,
            ids=self.ids,
        )
        self.account_ids = {CALLER.account, OTHER_ACCOUNT.account}
        self.transfers = CertificateTransferOperations(
            certificates=self.certificate_store,
            offers=OfferStore(),
            accounts=KnownAccounts(self.account_ids),
            things=self.thing_store,
            policies=self.policy_store,
            pages=self.pages,
        )
        self.codes = RegistrationCodeStore()
        self.template_store, self.roles = TemplateStore(), KnownRoles()
        self.cas = CaCertificateOperations(
            cas=self.ca_store,
            codes=self.codes,
            templates=self.template_store,
            roles=self.roles,
            pages=self.pages,
            ids=self.ids,
        )
        self.policies = PolicyOperations(
            policies=self.policy_store,
            groups=self.group_store,
            things=self.thing_store,
            pages=self.pages,
            ids=self.ids,
        )
        self.attachments = PolicyAttachmentOperations(
            policies=self.policy_store,
            effective=self.effective,
            certificates=self.certificate_store,
            groups=self.group_store,
            things=self.thing_store,
            pages=self.pages,
        )
        self.claim_store = ClaimStore()
        self.claim_reader = ClaimReader(claims=self.claim_store, rights=self.effective, things=self.thing_store)
        self.enrolment_store, self.onboarding_store = EnrolmentStore(), OnboardingStore()
        self.attempts = Attempts(store=self.onboarding_store, claims=self.claim_reader)
        self.onboarding = OnboardingOperations(store=self.onboarding_store, pages=self.pages)
        self.claims = ClaimOperations(
            claims=self.claim_store,
            reader=self.claim_reader,
            certificates=self.certificate_store,
            things=self.thing_store,
            policies=self.policy_store,
            templates=self.template_store,
            pages=self.pages,
        )
        self.store = MemoryStore()

    def record(self, caller: Caller = CALLER, **question: Any) -> list[Mapping[str, Any]]:
        """Answer the record of attempts, newest first."""
        answer = self.store.run(self.onboarding.list_onboarding_attempts, question, caller).response
        return list(answer["attempts"])

    def registration(self, *, rights: Rights, names_may_be_taken: bool = False) -> Registration:
        """Answer what applies templates, with a role's rights."""
        return Registration(
            steps=Steps(
                create_thing=self.things.create_thing,
                update_thing=self.things.update_thing,
                attach_thing_principal=self.principals.attach_thing_principal,
                add_thing_to_thing_group=self.groups.add_thing_to_thing_group,
                remove_thing_from_thing_group=self.groups.remove_thing_from_thing_group,
                add_thing_to_billing_group=self.billing.add_thing_to_billing_group,
                create_policy=self.policies.create_policy,
                attach_policy=self.attachments.attach_policy,
                update_certificate=self.certificates.update_certificate,
            ),
            certificates=self.certificate_store,
            things=self.thing_store,
            groups=self.group_store,
            billing=self.billing_store,
            policies=self.policy_store,
            rights=rights,
            names_may_be_taken=names_may_be_taken,
        )

    def thing(self, name: str, caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
        return self.store.run(self.things.create_thing, {"thingName": name, **more}, caller).response

    def group(self, name: str, caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
        return self.store.run(self.groups.create_thing_group, {"thingGroupName": name, **more}, caller).response

    def policy(self, name: str, document: str = ALLOW_ALL, caller: Caller = CALLER) -> Mapping[str, Any]:
        request = {"policyName": name, "policyDocument": document}
        return self.store.run(self.policies.create_policy, request, caller).response

    def certificate(
        self,
        serial: int = 1,
        status: Status = Status.ACTIVE,
        caller: Caller = CALLER,
        mode: Mode = Mode.DEFAULT,
    ) -> Certificate:
        with self.store.tx() as tx:
            return self.certificates.enter(tx, caller, certificate_pem(serial), status=status, mode=mode)

    def join(self, thing: str, group: str) -> Any:
        request = {"thingName": thing, "thingGroupName": group}
        return self.store.run(self.groups.add_thing_to_thing_group, request)

    def attach(self, thing: str, certificate: Certificate, **more: Any) -> Any:
        request = {"thingName": thing, "principal": arn_of(certificate), **more}
        return self.store.run(self.principals.attach_thing_principal, request)


def contents(registry: Registry, *, record: bool = False) -> list[str]:
    """Answer every row of every table, as text, in an order that does not depend on the database.

    The record of attempts and what waits to be told of it, which every refusal makes longer, only when it is asked for.
    """
    with registry.store.engine.begin() as connection:
        return sorted(
            f"{table.name}: {tuple(row)}"
            for table in metadata.sorted_tables
            if record or table.name != "iot_onboarding"
            for row in connection.execute(select(table))
            if record or NOTED not in tuple(row)
        )


def arn_of(certificate: Certificate, caller: Caller = CALLER) -> str:
    return f"arn:aws:iot:{caller.region}:{caller.account}:cert/{certificate.id}"


def group_arn(name: str, caller: Caller = CALLER) -> str:
    return f"arn:aws:iot:{caller.region}:{caller.account}:thinggroup/{name}"
