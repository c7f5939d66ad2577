"""Builds the registry: things, groups, certificates, policies, role aliases, endpoints."""

from dataclasses import dataclass, field
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.base.ids import Ids
from hedgerow.cloud.anchors import Anchors
from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.cloud.device_standing import DeviceStanding
from hedgerow.cloud.operations import iot as iot_rows
from hedgerow.cloud.operations import iot_certificates as certificate_rows
from hedgerow.cloud.rows import Tables
from hedgerow.cloud.tagging import NewTags
from hedgerow.core.paging import Pager
from hedgerow.services.hedgerow.accounts import AccountReader
from hedgerow.services.iam.roles import RoleReader
from hedgerow.services.iot.billing_groups import BillingGroupOperations, BillingGroupStore
from hedgerow.services.iot.ca_certificates import (
    CaCertificateFlows,
    CaCertificateOperations,
    CaCertificateStore,
    RegistrationCodeStore,
)
from hedgerow.services.iot.certificates import (
    CertificateFlows,
    CertificateOperations,
    CertificateStore,
    CertificateTransferOperations,
    OfferStore,
)
from hedgerow.services.iot.claims import ClaimReader, ClaimStore
from hedgerow.services.iot.connectivity import ConnectivityStore
from hedgerow.services.iot.domains import DomainStore
from hedgerow.services.iot.endpoints import EndpointOperations, Endpoints
from hedgerow.services.iot.fleet_index import Announcing, FleetIndexStore
from hedgerow.services.iot.groups import GroupOperations, GroupStore
from hedgerow.services.iot.onboarding import Attempts, OnboardingStore
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.policies import (
    AuthorizationTestOperations,
    EffectivePolicies,
    PolicyAttachmentOperations,
    PolicyOperations,
    PolicyStore,
)
from hedgerow.services.iot.provisioning import EnrolmentStore
from hedgerow.services.iot.provisioning_templates import TemplateStore
from hedgerow.services.iot.role_aliases import RoleAliasOperations, RoleAliasStore
from hedgerow.services.iot.shadows import ShadowKey, ShadowStore
from hedgerow.services.iot.thing_types import ThingTypeOperations, ThingTypeStore
from hedgerow.services.iot.things import ThingOperations, ThingPrincipalOperations, ThingStore
from hedgerow.store import Run, Tx

INDEXED: Final = Announcing(store=FleetIndexStore())
"""Who tells the fleet's indexes what changed. It holds no state."""


def _shadow_changed(tx: Tx, key: ShadowKey) -> None:
    INDEXED.changed(tx, key.account, key.thing, shadow=key.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The registry's rows, as other parts read them. They hold no state of their own."""

    fleet_index: FleetIndexStore = field(default_factory=FleetIndexStore)
    things: ThingStore = field(default_factory=lambda: ThingStore(changed=INDEXED.changed))
    types: ThingTypeStore = field(default_factory=ThingTypeStore)
    groups: GroupStore = field(default_factory=lambda: GroupStore(changed=INDEXED.group_changed, moved=INDEXED.changed))
    billing: BillingGroupStore = field(default_factory=lambda: BillingGroupStore(moved=INDEXED.changed))
    connectivity: ConnectivityStore = field(default_factory=ConnectivityStore)
    shadows: ShadowStore = field(default_factory=lambda: ShadowStore(changed=_shadow_changed))
    certificates: CertificateStore = field(default_factory=CertificateStore)
    cas: CaCertificateStore = field(default_factory=CaCertificateStore)
    policies: PolicyStore = field(default_factory=PolicyStore)
    claims: ClaimStore = field(default_factory=ClaimStore)
    enrolments: EnrolmentStore = field(default_factory=EnrolmentStore)
    templates: TemplateStore = field(default_factory=TemplateStore)
    role_aliases: RoleAliasStore = field(default_factory=RoleAliasStore)
    domains: DomainStore = field(default_factory=DomainStore)

    def attempts(self) -> Attempts:
        """Answer what writes the record of attempts to get in."""
        return Attempts(store=OnboardingStore(), claims=self.claim_reader())

    def claim_reader(self) -> ClaimReader:
        """Answer the reader of claims."""
        return ClaimReader(claims=self.claims, rights=self.effective(), things=self.things)

    def effective(self) -> EffectivePolicies:
        """Answer the reader of everything that counts for a certificate."""
        return EffectivePolicies(policies=self.policies, things=self.things, groups=self.groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The operations that provisioning calls."""

    stores: Stores
    certificate_flows: CertificateFlows
    things: ThingOperations
    principals: ThingPrincipalOperations
    groups: GroupOperations
    certificates: CertificateOperations
    billing: BillingGroupOperations
    policies: PolicyOperations
    attachments: PolicyAttachmentOperations


def build_registry(
    *,
    tables: Tables,
    stores: Stores,
    run: Run,
    clock: Clock,
    ids: Ids,
    pager: Pager,
    roles: RoleReader,
    accounts: AccountReader,
    authority: DeviceAuthority,
    anchors: Anchors,
    endpoints: Endpoints,
) -> Registry:
    """Build it and enter its rows."""
    pages = Pages(pager)
    things, groups = stores.things, stores.groups
    certificates = CertificateOperations(
        certificates=stores.certificates,
        authorities=stores.cas,
        things=things,
        policies=stores.policies,
        pages=pages,
        ids=ids,
    )
    codes = RegistrationCodeStore()
    cas = CaCertificateOperations(
        cas=stores.cas, codes=codes, templates=stores.templates, roles=roles, pages=pages, ids=ids
    )
    registry = Registry(
        stores=stores,
        certificate_flows=CertificateFlows(run=run, certificates=certificates, authority=authority, anchors=anchors),
        things=ThingOperations(
            things=things, types=stores.types, memberships=groups, billing=stores.billing, pages=pages, ids=ids
        ),
        principals=ThingPrincipalOperations(things=things, certificates=stores.certificates, pages=pages),
        groups=GroupOperations(groups=groups, things=things, policies=stores.policies, pages=pages, ids=ids),
        certificates=certificates,
        billing=BillingGroupOperations(groups=stores.billing, things=things, pages=pages, ids=ids),
        policies=PolicyOperations(policies=stores.policies, groups=groups, things=things, pages=pages, ids=ids),
        attachments=PolicyAttachmentOperations(
            policies=stores.policies,
            effective=stores.effective(),
            certificates=stores.certificates,
            groups=groups,
            things=things,
            pages=pages,
        ),
    )
    tables.serve(
        "iot",
        iot_rows.rows(
            things=registry.things,
            principals=registry.principals,
            types=ThingTypeOperations(types=stores.types, things=things, pages=pages, ids=ids),
            groups=registry.groups,
            billing=registry.billing,
            certificates=certificates,
            certificate_flows=registry.certificate_flows,
            policies=registry.policies,
            attachments=registry.attachments,
            role_aliases=RoleAliasOperations(role_aliases=stores.role_aliases, roles=roles, pages=pages),
            endpoints=EndpointOperations(endpoints=endpoints),
        ),
    )
    tests = AuthorizationTestOperations(
        policies=stores.policies,
        effective=stores.effective(),
        groups=groups,
        connections=DeviceStanding(certificates=stores.certificates, things=things),
    )
    tables.serve(
        "iot",
        iot_rows.authorization_rows(tests=tests)
        | certificate_rows.transfer_rows(
            transfers=CertificateTransferOperations(
                certificates=stores.certificates,
                offers=OfferStore(),
                accounts=accounts,
                things=things,
                policies=stores.policies,
                pages=pages,
            )
        )
        | certificate_rows.ca_rows(
            cas=cas,
            flows=CaCertificateFlows(
                run=run, operations=cas, codes=codes, anchors=anchors, clock=clock, tags=NewTags()
            ),
        ),
    )
    return registry
