"""Which resources of iot can be tagged, and their tags when they are made and deleted: one table.

Each kind is known by the operations that describe, make and delete it, so no subject needs to know of tags: a `tags`
member of the operation that makes it is kept with it in the same transaction, and goes with it. What is made by slower
steps (RegisterCACertificate) does that itself, by `NewTags`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, cast

from hedgerow.api.operations import Operation, Row, Way, read, write
from hedgerow.base.errors import ServiceError
from hedgerow.cloud.rows import Tables
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.tags import TagOperations, TagStore
from hedgerow.services.iot.tags.model import read_tags
from hedgerow.store import Answer, Tx


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource, as its ARN calls it: the member with its name, and the operations on it."""

    name: str
    member: str
    described_by: str
    made_by: tuple[str, ...]
    deleted_by: tuple[str, ...]


KINDS: Final = (
    Kind("thingtype", "thingTypeName", "DescribeThingType", ("CreateThingType",), ("DeleteThingType",)),
    Kind(
        "thinggroup",
        "thingGroupName",
        "DescribeThingGroup",
        ("CreateThingGroup", "CreateDynamicThingGroup"),
        ("DeleteThingGroup", "DeleteDynamicThingGroup"),
    ),
    Kind("billinggroup", "billingGroupName", "DescribeBillingGroup", ("CreateBillingGroup",), ("DeleteBillingGroup",)),
    Kind("policy", "policyName", "GetPolicy", ("CreatePolicy",), ("DeletePolicy",)),
    Kind("rolealias", "roleAlias", "DescribeRoleAlias", ("CreateRoleAlias",), ("DeleteRoleAlias",)),
    Kind(
        "provisioningtemplate",
        "templateName",
        "DescribeProvisioningTemplate",
        ("CreateProvisioningTemplate",),
        ("DeleteProvisioningTemplate",),
    ),
    Kind("rule", "ruleName", "GetTopicRule", ("CreateTopicRule",), ("DeleteTopicRule",)),
    Kind("job", "jobId", "DescribeJob", ("CreateJob",), ("DeleteJob",)),
    Kind("jobtemplate", "jobTemplateId", "DescribeJobTemplate", ("CreateJobTemplate",), ("DeleteJobTemplate",)),
    Kind("fleetmetric", "metricName", "DescribeFleetMetric", ("CreateFleetMetric",), ("DeleteFleetMetric",)),
    Kind("authorizer", "authorizerName", "DescribeAuthorizer", ("CreateAuthorizer",), ("DeleteAuthorizer",)),
    Kind(
        "certificateprovider",
        "certificateProviderName",
        "DescribeCertificateProvider",
        ("CreateCertificateProvider",),
        ("DeleteCertificateProvider",),
    ),
    Kind("command", "commandId", "GetCommand", ("CreateCommand",), ("DeleteCommand",)),
    Kind(
        "domainconfiguration",
        "domainConfigurationName",
        "DescribeDomainConfiguration",
        ("CreateDomainConfiguration",),
        ("DeleteDomainConfiguration",),
    ),
    Kind("cacert", "certificateId", "DescribeCACertificate", (), ("DeleteCACertificate",)),
)


class NewTags:
    """Tags for what is made by slower steps. Implements `services.iot.ca_certificates.flows.Tags`."""

    def __init__(self) -> None:
        self._store = TagStore()

    def read(self, given: Any) -> Mapping[str, str]:
        return read_tags(given)

    def put(self, tx: Tx, account: str, resource: str, new: Mapping[str, str]) -> None:
        self._store.put(tx, account, resource, new)


class Described:
    """Knows a resource by the operation that describes it. Implements `services.iot.tags.Taggable`."""

    def __init__(self, *, operation: Operation, member: str) -> None:
        self._operation = operation
        self._member = member

    def exists(self, tx: Tx, caller: Caller, name: str) -> bool:
        try:
            self._operation(tx, Request({self._member: name}), caller)
        except ServiceError:
            return False
        return True


def tag(tables: Tables, *, pager: Pager) -> None:
    """Let everything that is in the table of operations be tagged; call it when all of it is there."""
    store, known = TagStore(), {}
    for kind in KINDS:
        row = _row(tables, kind.described_by)
        if row is None:
            continue
        known[kind.name] = there = Described(operation=cast("Operation", row.method), member=kind.member)
        for operation in kind.made_by:
            _replace(tables, operation, partial(_making, kind, there, store))
        for operation in kind.deleted_by:
            _replace(tables, operation, partial(_deleting, kind, there, store))
    tags = TagOperations(store=store, kinds=known, pages=Pages(pager))
    tables.serve(
        "iot",
        {
            "TagResource": write(tags.tag_resource, "{resourceArn}"),
            "UntagResource": write(tags.untag_resource, "{resourceArn}"),
            "ListTagsForResource": read(tags.list_tags_for_resource, "{resourceArn}"),
        },
    )


def _row(tables: Tables, operation: str) -> Row | None:
    row = tables.operations.get(("iot", operation))
    return row if row is not None and row.way is not Way.FLOW else None


def _replace(tables: Tables, operation: str, wrapped: Callable[[Operation], Operation]) -> None:
    row = _row(tables, operation)
    if row is not None:
        tables.operations["iot", operation] = replace(row, method=wrapped(cast("Operation", row.method)))


def _making(kind: Kind, there: Described, store: TagStore, method: Operation) -> Operation:
    def make(tx: Tx, request: Request, caller: Caller) -> Answer:
        tags = read_tags(request.take_all("tags"))
        name: Any = request[kind.member]
        again = there.exists(tx, caller, name)
        answer = method(tx, request, caller)
        if not again:  # the same once more changes nothing, nor do its tags
            store.put(tx, caller.account, f"{kind.name}/{name}", tags)
        return answer

    return make


def _deleting(kind: Kind, there: Described, store: TagStore, method: Operation) -> Operation:
    def delete(tx: Tx, request: Request, caller: Caller) -> Answer:
        answer = method(tx, request, caller)
        name = request[kind.member]
        if not there.exists(tx, caller, name):
            store.forget(tx, caller.account, f"{kind.name}/{name}")
        return answer

    return delete
