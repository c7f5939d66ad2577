"""Builds how devices enrol themselves (templates, the claim flow, certificate providers), and custom authorizers."""

from dataclasses import dataclass

from hedgerow.base.clock import Clock
from hedgerow.base.errors import ServiceError
from hedgerow.base.ids import Ids
from hedgerow.cloud.account_files import AccountFiles
from hedgerow.cloud.anchors import Anchors
from hedgerow.cloud.certificate_checks import Invoker
from hedgerow.cloud.device_authority import DeviceAuthority
from hedgerow.cloud.device_provisioning import build_device_provisioning
from hedgerow.cloud.just_in_time import JustInTimeProvisioner
from hedgerow.cloud.newcomers import Newcomers
from hedgerow.cloud.operations import iot as iot_rows
from hedgerow.cloud.operations import iot_authorizers as authorizer_rows
from hedgerow.cloud.operations import iot_certificates as certificate_rows
from hedgerow.cloud.operations import iot_provisioning as provisioning_rows
from hedgerow.cloud.registry import Registry
from hedgerow.cloud.rights import CallerRights
from hedgerow.cloud.rotation import build_rotation
from hedgerow.cloud.rows import Tables
from hedgerow.cloud.service_roles import IOT, ServiceRoles
from hedgerow.cloud.vending import build_vending
from hedgerow.core.paging import Pager
from hedgerow.services.iam.roles import RoleReader
from hedgerow.services.iot.authorizers import (
    AuthorizerFlows,
    AuthorizerOperations,
    AuthorizerStore,
    CustomAuthentication,
)
from hedgerow.services.iot.ca_certificates import JustInTimeFlows, JustInTimeRegistration
from hedgerow.services.iot.certificate_providers import (
    CertificateProviderFlows,
    CertificateProviderOperations,
    CertificateProviderStore,
)
from hedgerow.services.iot.claims import ClaimFlows, ClaimFollowUps, ClaimOperations
from hedgerow.services.iot.onboarding import Attempts, OnboardingOperations, OnboardingStore
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.provisioning import (
    HookFailed,
    OperatorRegistration,
    ProvisioningFlows,
    ProvisioningFollowUps,
    Registration,
    Steps,
    Tokens,
)
from hedgerow.services.iot.provisioning_templates import TemplateOperations
from hedgerow.services.iot.registration_tasks import (
    RegistrationTaskFlows,
    RegistrationTaskFollowUps,
    RegistrationTaskOperations,
    RegistrationTaskStore,
)
from hedgerow.services.iot.vending import Throttles
from hedgerow.services.lambda_.functions import FunctionReader, LambdaFlows
from hedgerow.services.lambda_.functions.model import read_name
from hedgerow.services.lambda_.permissions import PermissionOperations
from hedgerow.store import Run, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What other parts need of it."""

    authentication: CustomAuthentication  # lets clients in by custom authorizers
    just_in_time: JustInTimeFlows  # what refused connections set off
    newcomers: Newcomers
    invoker: Invoker  # of functions that AWS IoT asks


def build_enrolment(
    *,
    tables: Tables,
    run: Run,
    clock: Clock,
    ids: Ids,
    pager: Pager,
    token_key: bytes,
    region: str,
    registry: Registry,
    authority: DeviceAuthority,
    roles: RoleReader,
    rights: ServiceRoles,
    functions: LambdaFlows,
    versions: FunctionReader,
    anchors: Anchors,
    callers: CallerRights,
    files: AccountFiles,
    first_account: str,
    throttles: Throttles,
) -> Enrolment:
    """Build it and enter its rows."""
    stores, templates = registry.stores, registry.stores.templates
    hooks = _Hooks(region=region, versions=versions)
    tables.serve(
        "iot",
        iot_rows.template_rows(
            templates=TemplateOperations(
                templates=templates, authorities=stores.cas, roles=roles, hooks=hooks, pages=Pages(pager)
            )
        ),
    )
    providers = CertificateProviderStore()
    tables.serve(
        "iot",
        certificate_rows.provider_rows(
            providers=CertificateProviderOperations(providers=providers, functions=hooks, pages=Pages(pager))
        ),
    )
    authorizers = AuthorizerStore()
    tables.serve(
        "iot",
        authorizer_rows.rows(
            authorizers=AuthorizerOperations(authorizers=authorizers, pages=Pages(pager), domains=stores.domains),
            flows=AuthorizerFlows(run=run, ids=ids, authorizers=authorizers, invoker=_Invoker(functions)),
        ),
    )
    authentication = CustomAuthentication(
        run=run, authorizers=authorizers, invoker=_Invoker(functions), clock=clock, region=region
    )
    registration = Registration(
        steps=Steps(
            create_thing=registry.things.create_thing,
            update_thing=registry.things.update_thing,
            attach_thing_principal=registry.principals.attach_thing_principal,
            add_thing_to_thing_group=registry.groups.add_thing_to_thing_group,
            remove_thing_from_thing_group=registry.groups.remove_thing_from_thing_group,
            add_thing_to_billing_group=registry.billing.add_thing_to_billing_group,
            create_policy=registry.policies.create_policy,
            attach_policy=registry.attachments.attach_policy,
            update_certificate=registry.certificates.update_certificate,
        ),
        certificates=stores.certificates,
        things=stores.things,
        groups=stores.groups,
        billing=stores.billing,
        policies=stores.policies,
        rights=rights,
    )
    flows = ProvisioningFlows(
        run=run,
        authority=authority,
        entries=registry.certificates,
        certificates=stores.certificates,
        templates=templates,
        registration=registration,
        tokens=Tokens(token_key),
        invoker=_Invoker(functions),
        providers=CertificateProviderFlows(
            run=run,
            providers=providers,
            invoker=_Invoker(functions),
            certificates=registry.certificates,
            anchors=anchors,
        ),
        claims=stores.claim_reader(),
        enrolments=stores.enrolments,
        attempts=stores.attempts(),
    )
    tables.answer(iot_rows.topic_rows(provisioning=flows))
    follow_ups = ProvisioningFollowUps(
        certificates=stores.certificates,
        things=stores.things,
        policies=stores.policies,
        enrolments=stores.enrolments,
    )
    tables.follow(iot_rows.follow_up_rows(provisioning=follow_ups))
    registering = OperatorRegistration(
        run=run,
        authority=authority,
        entries=registry.certificates,
        register_certificate=registry.certificates.register_certificate,
        certificates=stores.certificates,
        registration=registration,
        callers=callers,
        attempts=stores.attempts(),
    )
    tables.serve("iot", provisioning_rows.rows(registering=registering))
    _build_tasks(tables, run, ids, pager, files, rights, registering, stores.attempts())
    record = OnboardingOperations(store=OnboardingStore(), pages=Pages(pager))
    tables.serve("hedgerow", provisioning_rows.onboarding_rows(onboarding=record))
    _build_claims(tables, run, pager, authority, registry)
    build_rotation(tables=tables, run=run, registry=registry, authority=authority)
    build_vending(
        tables=tables,
        run=run,
        pager=pager,
        throttles=throttles,
        key=token_key,
        first_account=first_account,
        registry=registry,
        registration=registration,
        authority=authority,
    )
    build_device_provisioning(
        tables=tables,
        run=run,
        registry=registry,
        authority=authority,
        registering=registering,
        callers=callers,
    )
    newcomers = Newcomers(
        run=run,
        enrolments=stores.enrolments,
        claims=stores.claim_reader(),
        attempts=stores.attempts(),
        region=region,
    )
    return Enrolment(
        invoker=_Invoker(functions),
        newcomers=newcomers,
        authentication=authentication,
        just_in_time=JustInTimeFlows(
            run=run,
            registration=JustInTimeRegistration(
                cas=stores.cas,
                certificates=registry.certificates,
                provisioner=JustInTimeProvisioner(
                    templates=templates, registration=registration, attempts=stores.attempts()
                ),
                region=region,
                ids=ids,
            ),
        ),
    )


def _build_tasks(
    tables: Tables,
    run: Run,
    ids: Ids,
    pager: Pager,
    files: AccountFiles,
    rights: ServiceRoles,
    registering: OperatorRegistration,
    attempts: Attempts,
) -> None:
    tasks, pages = RegistrationTaskStore(), Pages(pager)
    flows = RegistrationTaskFlows(run=run, ids=ids, tasks=tasks, files=files, rights=rights, pages=pages)
    operations = RegistrationTaskOperations(tasks=tasks, pages=pages)
    tables.serve("iot", provisioning_rows.task_rows(tasks=operations, flows=flows))
    steps = RegistrationTaskFollowUps(run=run, tasks=tasks, files=files, registrar=registering, attempts=attempts)
    tables.follow(provisioning_rows.task_follow_up_rows(tasks=steps))


def _build_claims(tables: Tables, run: Run, pager: Pager, authority: DeviceAuthority, registry: Registry) -> None:
    stores = registry.stores
    claims = ClaimOperations(
        claims=stores.claims,
        reader=stores.claim_reader(),
        certificates=stores.certificates,
        things=stores.things,
        policies=stores.policies,
        templates=stores.templates,
        pages=Pages(pager),
    )
    flows = ClaimFlows(run=run, authority=authority, templates=stores.templates, claims=stores.claims)
    tables.serve("iot", provisioning_rows.claim_rows(flows=flows))
    tables.serve("hedgerow", provisioning_rows.own_claim_rows(claims=claims))
    tables.follow(provisioning_rows.claim_follow_up_rows(claims=ClaimFollowUps(claims=stores.claims)))


class _Hooks:
    """Whether AWS IoT may invoke a function for a template or a certificate provider."""

    def __init__(self, *, region: str, versions: FunctionReader) -> None:
        self._region = region
        self._versions = versions
        self._permissions = PermissionOperations(functions=versions)

    def refusal(self, tx: Tx, account: str, function_arn: str, *, template_arn: str) -> str | None:
        return self.objection(tx, account, function_arn, source_arn=template_arn)

    def objection(self, tx: Tx, account: str, function_arn: str, *, source_arn: str) -> str | None:
        try:
            named = read_name(function_arn, account, self._region)
        except ServiceError as error:
            return error.message
        if self._versions.named(tx, named) is None:
            return f"there is no function {function_arn}"
        if not self._permissions.permits(tx, named, service=IOT, source_arn=source_arn):
            return f"its policy does not let AWS IoT invoke {function_arn} for {source_arn}: add a permission"
        return None


class _Invoker:
    """Asks a hook."""

    def __init__(self, functions: LambdaFlows) -> None:
        self._functions = functions

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        done = await self._functions.invoke_function(account, function_arn, payload, source=IOT, source_arn=source_arn)
        if done.error is not None:
            raise HookFailed(f"the function answered with an error: {done.error_type or done.error}")
        return done.payload
