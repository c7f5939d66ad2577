"""Tags are kept with what is made, and go with it; the table of kinds is right about the service model."""

from typing import Any

import botocore.session
import pytest

from hedgerow.api.operations import read, write
from hedgerow.base.errors import ServiceError
from hedgerow.cloud.rows import Tables
from hedgerow.cloud.tagging import KINDS, tag
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.thing_types import ThingTypeOperations, ThingTypeStore
from hedgerow.services.iot.things import ThingStore
from tests.support.clock import FakeIds
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

MODEL = botocore.session.get_session().get_service_model("iot")
PUMP = f"arn:aws:iot:{CALLER.region}:{CALLER.account}:thingtype/pump"


class Bench:
    """Thing types, with tags."""

    def __init__(self) -> None:
        self.store, self.tables = MemoryStore(), Tables()
        pages = Pages(Pager(b"key"))
        types = ThingTypeOperations(types=ThingTypeStore(), things=ThingStore(), pages=pages, ids=FakeIds())
        self.tables.serve(
            "iot",
            {
                "CreateThingType": write(types.create_thing_type),
                "DescribeThingType": read(types.describe_thing_type),
                "DeprecateThingType": write(types.deprecate_thing_type),
                "DeleteThingType": write(types.delete_thing_type),
            },
        )
        tag(self.tables, pager=Pager(b"key"))

    def call(self, operation: str, caller: Caller = CALLER, **members: Any) -> Any:
        row = self.tables.operations["iot", operation]
        return self.store.run(row.method, members, caller=caller).response  # type: ignore[arg-type]  # an operation

    def tags(self, arn: str = PUMP, caller: Caller = CALLER) -> dict[str, str]:
        found = self.call("ListTagsForResource", caller, resourceArn=arn)["tags"]
        return {one["Key"]: one["Value"] for one in found}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def refused(bench: Bench, operation: str, caller: Caller = CALLER, **members: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        bench.call(operation, caller, **members)
    return caught.value


def test_tags_come_with_what_is_made_and_are_changed_by_key(bench: Bench) -> None:
    bench.call("CreateThingType", thingTypeName="pump", tags=pairs(team="a", cost="1"))
    first = bench.tags()
    bench.call("TagResource", resourceArn=PUMP, tags=[*pairs(cost="2"), {"Key": "bare"}])
    second = bench.tags()
    bench.call("UntagResource", resourceArn=PUMP, tagKeys=["team", "nobody"])

    assert first == {"cost": "1", "team": "a"}
    assert second == {"bare": "", "cost": "2", "team": "a"}
    assert bench.tags() == {"bare": "", "cost": "2"}


def test_making_the_same_again_changes_no_tags(bench: Bench) -> None:
    bench.call("CreateThingType", thingTypeName="pump", tags=pairs(team="a"))

    bench.call("CreateThingType", thingTypeName="pump", tags=pairs(team="b"))

    assert bench.tags() == {"team": "a"}


def test_tags_go_with_the_resource_and_do_not_come_back(bench: Bench) -> None:
    bench.call("CreateThingType", thingTypeName="pump", tags=pairs(team="a"))
    bench.call("DeprecateThingType", thingTypeName="pump")
    bench.store.clock.advance(301)

    bench.call("DeleteThingType", thingTypeName="pump")
    gone = refused(bench, "ListTagsForResource", resourceArn=PUMP)
    bench.call("CreateThingType", thingTypeName="pump")

    assert gone.code == "ResourceNotFoundException"
    assert bench.tags() == {}


def test_a_resource_that_is_not_made_has_no_tags(bench: Bench) -> None:
    refused(bench, "CreateThingType", thingTypeName="pump", tags=pairs(**{"aws:x": "1"}))

    assert refused(bench, "DescribeThingType", thingTypeName="pump").code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("tags", "code", "words"),
    [
        (pairs(**{"AWS:x": "1"}), "InvalidRequestException", "reserved"),
        ([*pairs(a="1"), *pairs(a="2")], "InvalidRequestException", "twice"),
        (pairs(**{"k" * 129: "1"}), "InvalidRequestException", "128"),
        (pairs(a="v" * 257), "InvalidRequestException", "256"),
        (pairs(**{f"k{number}": "" for number in range(51)}), "LimitExceededException", "50"),
    ],
)
def test_tags_that_cannot_be_are_refused_and_nothing_changes(bench: Bench, tags: Any, code: str, words: str) -> None:
    bench.call("CreateThingType", thingTypeName="pump", tags=pairs(team="a"))

    error = refused(bench, "TagResource", resourceArn=PUMP, tags=tags)

    assert (error.code, words in str(error)) == (code, True)
    assert bench.tags() == {"team": "a"}


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (PUMP.replace("pump", "other"), "ResourceNotFoundException"),
        (PUMP.replace("thingtype/pump", "thing/pump"), "InvalidRequestException"),
        (PUMP.replace("thingtype/pump", "thingtype"), "InvalidRequestException"),
        (PUMP.replace(CALLER.region, "us-east-1"), "InvalidRequestException"),
        (PUMP.replace(CALLER.account, OTHER_ACCOUNT.account), "InvalidRequestException"),
        ("pump", "InvalidRequestException"),
        (PUMP.replace(":iot:", ":lambda:"), "InvalidRequestException"),
    ],
)
def test_only_what_is_there_and_can_be_tagged_is_tagged(bench: Bench, arn: str, code: str) -> None:
    bench.call("CreateThingType", thingTypeName="pump")

    assert refused(bench, "TagResource", resourceArn=arn, tags=pairs(a="b")).code == code


def test_two_accounts_do_not_meet(bench: Bench) -> None:
    bench.call("CreateThingType", thingTypeName="pump", tags=pairs(team="a"))
    bench.call("CreateThingType", OTHER_ACCOUNT, thingTypeName="pump", tags=pairs(team="b"))

    assert bench.tags() == {"team": "a"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_table_is_right_about_the_service_model(kind: Any) -> None:
    members = {
        operation: set(getattr(MODEL.operation_model(operation).input_shape, "members", ()))
        for operation in (kind.described_by, *kind.made_by, *kind.deleted_by)
    }

    assert [operation for operation, there in members.items() if kind.member not in there] == []
    assert [operation for operation in kind.made_by if "tags" not in members[operation]] == []
