"""The operations on billing groups and on who is in them.

Adding a thing that is in another billing group moves it; a group with things in it cannot be deleted.
Spec: AWS IoT API reference, CreateBillingGroup and its neighbours.
"""

from typing import Any, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.billing_groups.errors import (
    BillingGroupExists,
    BillingGroupNotFound,
    StillHasThings,
    ThingNotFound,
)
from hedgerow.services.iot.billing_groups.model import BillingGroup
from hedgerow.services.iot.billing_groups.store import BillingGroupStore
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.principals import own_resource
from hedgerow.store import Answer, Tx

KIND = "billinggroup/"


class Things(Protocol):
    """What billing groups need of things."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing of that name."""
        ...


class BillingGroupOperations:
    """The operations on billing groups."""

    def __init__(self, *, groups: BillingGroupStore, things: Things, pages: Pages, ids: Ids) -> None:
        self._groups = groups
        self._things = things
        self._pages = pages
        self._ids = ids

    def create_billing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, description = request["billingGroupName"], _description(request.get("billingGroupProperties"))
        group = self._groups.get(tx, caller.account, name)
        if group is None:
            group = BillingGroup(name=name, id=self._ids.uuid(), description=description, version=1, created_at=tx.now)
            self._groups.add(tx, caller.account, group)
        elif group.description != description:
            raise BillingGroupExists(name, group_id=group.id, group_arn=_arn(caller, name))
        return Answer({"billingGroupName": name, "billingGroupArn": _arn(caller, name), "billingGroupId": group.id})

    def describe_billing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        group = self._get(tx, caller, request["billingGroupName"])
        properties: dict[str, Any] = {}
        if group.description is not None:
            properties["billingGroupDescription"] = group.description
        return Answer(
            {
                "billingGroupName": group.name,
                "billingGroupId": group.id,
                "billingGroupArn": _arn(caller, group.name),
                "version": group.version,
                "billingGroupProperties": properties,
                "billingGroupMetadata": {"creationDate": group.created_at},
            }
        )

    def update_billing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        group = self._get(tx, caller, request["billingGroupName"])
        description = _description(request["billingGroupProperties"])
        changed = group.changed(description=description, expected=request.get("expectedVersion"))
        self._groups.put(tx, caller.account, changed)
        return Answer({"version": changed.version})

    def delete_billing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, expected = request["billingGroupName"], request.get("expectedVersion")
        group = self._groups.get(tx, caller.account, name)
        if group is None:  # AWS answers success
            return Answer({})
        group.expect(expected)
        if self._groups.things_in(tx, caller.account, name, limit=1):
            raise StillHasThings(name)
        self._groups.remove(tx, caller.account, name)
        return Answer({})

    def list_billing_groups(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        prefix = request.get("namePrefixFilter") or ""
        page = self._pages.by_token(request, caller, "ListBillingGroups", prefix=prefix)
        found = self._groups.list(tx, caller.account, prefix=prefix, after=page.after(), limit=page.limit)
        return Answer(
            page.answer(
                "billingGroups",
                found,
                key=lambda group: (group.name,),
                show=lambda group: {"groupName": group.name, "groupArn": _arn(caller, group.name)},
            )
        )

    def add_thing_to_billing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        group, thing = self._pair(tx, request, caller)
        if self._groups.of(tx, caller.account, thing) != group:
            self._groups.join(tx, caller.account, group, thing)
        return Answer({})

    def remove_thing_from_billing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        group, thing = self._pair(tx, request, caller)
        if self._groups.of(tx, caller.account, thing) == group:
            self._groups.leave(tx, caller.account, thing)
        return Answer({})

    def list_things_in_billing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        group = self._get(tx, caller, request["billingGroupName"]).name
        page = self._pages.by_token(request, caller, "ListThingsInBillingGroup", group=group)
        found = self._groups.things_in(tx, caller.account, group, after=page.after(), limit=page.limit)
        return Answer(page.answer("things", found, key=lambda name: (name,), show=str))

    def _pair(self, tx: Tx, request: Request, caller: Caller) -> tuple[str, str]:
        group, thing = _name(request, caller, "billingGroup", KIND), _name(request, caller, "thing", "thing/")
        if not self._things.exists(tx, caller.account, thing):
            raise ThingNotFound(thing)
        return self._get(tx, caller, group).name, thing

    def _get(self, tx: Tx, caller: Caller, name: str) -> BillingGroup:
        group = self._groups.get(tx, caller.account, name)
        if group is None:
            raise BillingGroupNotFound(name)
        return group


def _description(properties: Request | None) -> str | None:
    return None if properties is None else properties.get("billingGroupDescription")


def _name(request: Request, caller: Caller, member: str, kind: str) -> str:
    """Read `<member>Name` or `<member>Arn`; when both are given they must mean the same."""
    name, given = request.get(f"{member}Name"), request.get(f"{member}Arn")
    if given is not None:
        resource = own_resource(given, caller)
        if not resource.startswith(kind) or name not in (None, resource.removeprefix(kind)):
            raise InvalidRequest(f"{member}Arn: {given} is of another kind, or not the one that {member}Name names")
        return resource.removeprefix(kind)
    if name is None:
        raise InvalidRequest(f"{member}Name or {member}Arn must be given")
    return str(name)


def _arn(caller: Caller, name: str) -> str:
    return arn("iot", caller.region, caller.account, KIND + name)
