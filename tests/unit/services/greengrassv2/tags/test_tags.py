import pytest

from hedgerow.base.errors import ServiceError
from tests.support.fleet import FleetBench
from tests.support.store import CALLER, OTHER_ACCOUNT

ARN = f"arn:aws:greengrass:{CALLER.region}:{CALLER.account}:"


@pytest.fixture
def bench() -> FleetBench:
    return FleetBench()


@pytest.fixture(params=["component", "deployment", "core device"])
def arn(request: pytest.FixtureRequest, bench: FleetBench) -> str:
    if request.param == "component":
        return str(bench.component("com.x", "1.0.0")["arn"])
    bench.add_thing("T")
    if request.param == "deployment":
        target = f"arn:aws:iot:{CALLER.region}:{CALLER.account}:thing/T"
        return f"{ARN}deployments:{bench.greengrass('CreateDeployment', targetArn=target)['deploymentId']}"
    bench.publish("$aws/things/T/greengrassv2/health/json", {"sequenceNumber": 1, "timestamp": 1})
    return f"{ARN}coreDevices:T"


def test_tags_are_added_replaced_and_taken_away(bench: FleetBench, arn: str) -> None:
    bench.greengrass("TagResource", resourceArn=arn, tags={"a": "1", "b": "2"})
    bench.greengrass("TagResource", resourceArn=arn, tags={"a": "3", "c": "4"})
    bench.greengrass("UntagResource", resourceArn=arn, tagKeys=["b", "none"])

    assert bench.greengrass("ListTagsForResource", resourceArn=arn)["tags"] == {"a": "3", "c": "4"}


def test_too_many_tags_are_refused_and_change_nothing(bench: FleetBench, arn: str) -> None:
    with pytest.raises(ServiceError, match="at most"):
        bench.greengrass("TagResource", resourceArn=arn, tags={str(number): "" for number in range(51)})

    assert bench.greengrass("ListTagsForResource", resourceArn=arn)["tags"] == {}


def test_another_account_sees_no_tags(bench: FleetBench, arn: str) -> None:
    with pytest.raises(ServiceError, match="not of account"):
        bench.greengrass("ListTagsForResource", OTHER_ACCOUNT, resourceArn=arn)


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ("components:com.x", "ResourceNotFoundException"),
        ("components:com.x:versions:9.9.9", "ResourceNotFoundException"),
        ("deployments:none", "ResourceNotFoundException"),
        ("coreDevices:none", "ResourceNotFoundException"),
        ("groups:g", "ValidationException"),
    ],
)
def test_what_is_not_there_has_no_tags(bench: FleetBench, resource: str, code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        bench.greengrass("ListTagsForResource", resourceArn=ARN + resource)

    assert caught.value.code == code
