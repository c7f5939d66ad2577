from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from tests.support.registry import Registry
from tests.support.store import CALLER, OTHER_ACCOUNT


class Billing:
    def __init__(self) -> None:
        self.registry = Registry()

    def call(self, operation: str, caller: Caller = CALLER, **members: Any) -> Any:
        names = (self.registry.billing, self.registry.things)
        method = next(getattr(one, operation) for one in names if hasattr(one, operation))
        return self.registry.store.run(method, members, caller=caller).response

    def group(self, name: str, caller: Caller = CALLER, **members: Any) -> Any:
        return self.call("create_billing_group", caller, billingGroupName=name, **members)

    def thing(self, name: str, caller: Caller = CALLER, **members: Any) -> Any:
        return self.call("create_thing", caller, thingName=name, **members)

    def things(self, group: str, **more: Any) -> list[str]:
        return list(self.call("list_things_in_billing_group", billingGroupName=group, **more)["things"])


@pytest.fixture
def billing() -> Billing:
    return Billing()


def refused(billing: Billing, operation: str, **members: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        billing.call(operation, **members)
    return caught.value


def described(text: str) -> dict[str, Any]:
    return {"billingGroupProperties": {"billingGroupDescription": text}}


def test_a_group_is_made_described_changed_listed_and_deleted(billing: Billing) -> None:
    made = billing.group("north", **described("the north"))
    billing.group("south")

    updated = billing.call("update_billing_group", billingGroupName="north", **described("up"), expectedVersion=1)
    shown = billing.call("describe_billing_group", billingGroupName="north")
    stale = refused(billing, "update_billing_group", billingGroupName="north", **described("x"), expectedVersion=1)
    listed = billing.call("list_billing_groups", namePrefixFilter="n")["billingGroups"]
    billing.call("delete_billing_group", billingGroupName="north", expectedVersion=2)
    again = billing.call("delete_billing_group", billingGroupName="north")

    assert made["billingGroupArn"] == f"arn:aws:iot:{CALLER.region}:{CALLER.account}:billinggroup/north"
    assert (updated, shown["version"], shown["billingGroupProperties"]) == (
        {"version": 2},
        2,
        {"billingGroupDescription": "up"},
    )
    assert stale.code == "VersionConflictException"
    assert listed == [{"groupName": "north", "groupArn": made["billingGroupArn"]}]
    assert again == {}
    assert refused(billing, "describe_billing_group", billingGroupName="north").code == "ResourceNotFoundException"


def test_the_same_again_is_the_same_group(billing: Billing) -> None:
    first = billing.group("north", **described("the north"))

    assert billing.group("north", **described("the north")) == first
    error = refused(billing, "create_billing_group", billingGroupName="north")
    assert error.code == "ResourceAlreadyExistsException"


def test_a_thing_is_in_one_group_at_most(billing: Billing) -> None:
    for name in ("north", "south"):
        billing.group(name)
    billing.thing("a", billingGroupName="north")
    first = billing.things("north")
    billing.call("add_thing_to_billing_group", billingGroupName="south", thingName="a")

    assert (first, billing.things("north"), billing.things("south")) == (["a"], [], ["a"])
    assert billing.call("describe_thing", thingName="a")["billingGroupName"] == "south"
    billing.call("remove_thing_from_billing_group", billingGroupName="north", thingName="a")
    assert billing.things("south") == ["a"]
    arn = billing.call("describe_billing_group", billingGroupName="south")["billingGroupArn"]
    billing.call("remove_thing_from_billing_group", billingGroupArn=arn, thingName="a")
    assert billing.things("south") == []


def test_a_group_with_things_stays_and_a_deleted_thing_leaves_it(billing: Billing) -> None:
    billing.group("north")
    billing.thing("a", billingGroupName="north")

    kept = refused(billing, "delete_billing_group", billingGroupName="north")
    billing.call("delete_thing", thingName="a")
    billing.call("delete_billing_group", billingGroupName="north")

    assert kept.code == "InvalidRequestException"
    assert refused(billing, "describe_billing_group", billingGroupName="north").code == "ResourceNotFoundException"


def test_making_the_same_thing_again_compares_its_billing_group(billing: Billing) -> None:
    for name in ("north", "south"):
        billing.group(name)
    first = billing.thing("a", billingGroupName="north")

    assert billing.thing("a", billingGroupName="north") == first
    other = refused(billing, "create_thing", thingName="a", billingGroupName="south")
    assert "with different attributes" in str(other)
    missing = refused(billing, "create_thing", thingName="b", billingGroupName="nowhere")
    assert missing.code == "ResourceNotFoundException"
    assert refused(billing, "describe_thing", thingName="b").code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"billingGroupName": "north"}, "InvalidRequestException"),
        ({"thingName": "a"}, "InvalidRequestException"),
        ({"billingGroupName": "north", "thingName": "nobody"}, "ResourceNotFoundException"),
        ({"billingGroupName": "nowhere", "thingName": "a"}, "ResourceNotFoundException"),
        (
            {
                "billingGroupName": "north",
                "billingGroupArn": f"arn:aws:iot:{CALLER.region}:{CALLER.account}:billinggroup/x",
                "thingName": "a",
            },
            "InvalidRequestException",
        ),
    ],
)
def test_a_pair_must_be_there_and_be_one(billing: Billing, members: dict[str, str], code: str) -> None:
    billing.group("north")
    billing.thing("a")

    assert refused(billing, "add_thing_to_billing_group", **members).code == code


def test_members_come_in_pages(billing: Billing) -> None:
    billing.group("north")
    for name in "abc":
        billing.thing(name, billingGroupName="north")

    first = billing.call("list_things_in_billing_group", billingGroupName="north", maxResults=2)
    rest = billing.things("north", maxResults=2, nextToken=first["nextToken"])

    assert (first["things"], rest) == (["a", "b"], ["c"])


def test_two_accounts_do_not_meet(billing: Billing) -> None:
    billing.group("north")
    billing.group("north", OTHER_ACCOUNT)
    billing.thing("a", billingGroupName="north")
    billing.thing("a", OTHER_ACCOUNT)

    assert billing.call("list_things_in_billing_group", OTHER_ACCOUNT, billingGroupName="north") == {"things": []}
