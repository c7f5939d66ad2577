"""The registry's rows against the service model of AWS IoT."""

import re
from functools import cache
from typing import Any

import pytest
from botocore.loaders import Loader

from hedgerow.api.operations import Row, Way
from hedgerow.base.errors import ServiceError
from hedgerow.cloud.operations import iot_authorizers as authorizer_rows
from hedgerow.cloud.operations.iot import authorization_rows, follow_up_rows, rows, template_rows, topic_rows
from hedgerow.cloud.operations.iot_certificates import ca_rows, provider_rows, transfer_rows
from hedgerow.services.iot.authorizers import AuthorizerFlows, AuthorizerOperations
from hedgerow.services.iot.billing_groups import BillingGroupOperations
from hedgerow.services.iot.ca_certificates import CaCertificateFlows, CaCertificateOperations
from hedgerow.services.iot.certificate_providers import CertificateProviderOperations
from hedgerow.services.iot.certificates import CertificateFlows, CertificateOperations, CertificateTransferOperations
from hedgerow.services.iot.endpoints import EndpointOperations
from hedgerow.services.iot.groups import GroupOperations
from hedgerow.services.iot.policies import AuthorizationTestOperations, PolicyAttachmentOperations, PolicyOperations
from hedgerow.services.iot.provisioning import ProvisioningFlows, ProvisioningFollowUps
from hedgerow.services.iot.provisioning_templates import TemplateOperations
from hedgerow.services.iot.role_aliases import RoleAliasOperations
from hedgerow.services.iot.thing_types import ThingTypeOperations
from hedgerow.services.iot.things import ThingOperations, ThingPrincipalOperations

OPERATIONS: dict[str, type] = {
    "things": ThingOperations,
    "principals": ThingPrincipalOperations,
    "types": ThingTypeOperations,
    "groups": GroupOperations,
    "billing": BillingGroupOperations,
    "certificates": CertificateOperations,
    "certificate_flows": CertificateFlows,
    "policies": PolicyOperations,
    "attachments": PolicyAttachmentOperations,
    "role_aliases": RoleAliasOperations,
    "endpoints": EndpointOperations,
}
INSIDE = {
    "enter",
    "enter_active",
    "enter_of_ca",
    "enter_pending",
    "enter_provided",
    "find",
    "has_ca",
}  # for other subjects


ASKS = {"TestAuthorization"}
MAKES_WHAT_IT_ANSWERS = {"GetRegistrationCode"}  # the first time


@cache
def model() -> dict[str, Any]:
    return dict(Loader().load_service_model("iot", "service-2"))


def all_rows() -> dict[str, Row]:
    parts: dict[str, Any] = {name: object.__new__(kind) for name, kind in OPERATIONS.items()}
    cas = ca_rows(cas=object.__new__(CaCertificateOperations), flows=object.__new__(CaCertificateFlows))
    tests = authorization_rows(tests=object.__new__(AuthorizationTestOperations))
    providers = provider_rows(providers=object.__new__(CertificateProviderOperations))
    authorizers = authorizer_rows.rows(
        authorizers=object.__new__(AuthorizerOperations), flows=object.__new__(AuthorizerFlows)
    )
    transfers = transfer_rows(transfers=object.__new__(CertificateTransferOperations))
    return (
        rows(**parts)
        | cas
        | transfers
        | tests
        | providers
        | authorizers
        | template_rows(templates=object.__new__(TemplateOperations))
    )


@pytest.mark.parametrize(("name", "row"), all_rows().items())
def test_a_row_is_an_operation_of_the_model_and_names_members_that_it_has(name: str, row: Row) -> None:
    operation = model()["operations"][name]
    members = model()["shapes"][operation["input"]["shape"]]["members"] if "input" in operation else {}

    wanted = set(re.findall(r"\{(\w+)\}", row.resource)) - {"region", "account"}

    assert wanted <= set(members)


@pytest.mark.parametrize(("name", "row"), all_rows().items())
def test_an_operation_that_only_reads_is_not_run_as_a_write(name: str, row: Row) -> None:
    reads = name.startswith(("Describe", "List", "Get"))

    reads = reads or name in ASKS
    assert (row.way is Way.READ) == (reads and name not in MAKES_WHAT_IT_ANSWERS)


@pytest.mark.parametrize(
    "kind",
    [
        *OPERATIONS.values(),
        TemplateOperations,
        CaCertificateOperations,
        CaCertificateFlows,
        CertificateTransferOperations,
        CertificateProviderOperations,
        AuthorizerOperations,
        AuthorizerFlows,
        AuthorizationTestOperations,
    ],
)
def test_every_public_method_is_an_operation_with_a_row(kind: type) -> None:
    served = {row.method.__name__ for row in all_rows().values()}

    assert {name for name in vars(kind) if not name.startswith("_")} <= served | INSIDE


def test_every_error_of_the_registry_is_one_of_the_model() -> None:
    def below(kind: type[ServiceError]) -> set[type[ServiceError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    own = {kind for kind in below(ServiceError) if kind.__module__.startswith("hedgerow.services.iot.")}
    jobs_and_data = ("hedgerow.services.iot.jobs", "hedgerow.services.iot.shadows")

    codes = {kind.code for kind in own if not kind.__module__.startswith(jobs_and_data) and kind.status is None}

    assert codes <= set(model()["shapes"])


def test_the_provisioning_topics_are_served_in_both_formats() -> None:
    served = {row.filter: row for row in topic_rows(provisioning=object.__new__(ProvisioningFlows))}

    assert set(served) == {
        f"{topic}/{form}"
        for topic in (
            "$aws/certificates/create",
            "$aws/certificates/create-from-csr",
            "$aws/provisioning-templates/+/provision",
        )
        for form in ("json", "cbor")
    }
    assert all(row.flow is not None and row.operation is None for row in served.values())
    later = set(follow_up_rows(provisioning=object.__new__(ProvisioningFollowUps)))
    assert later == {"unclaimed-certificate", "enrolment-over"}
