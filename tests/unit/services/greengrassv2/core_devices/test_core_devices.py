from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from tests.support.fleet import FleetBench
from tests.support.store import CALLER, OTHER_ACCOUNT

IOT = f"arn:aws:iot:{CALLER.region}:{CALLER.account}:"


@pytest.fixture
def bench() -> FleetBench:
    return FleetBench()


def component(name: str, **members: Any) -> dict[str, Any]:
    return {
        "componentName": name,
        "version": "1.0.0",
        "fleetConfigArns": ["arn:x"],
        "isRoot": True,
        "status": "RUNNING",
        **members,
    }


def report(
    bench: FleetBench,
    sequence: int,
    *components: dict[str, Any],
    thing: str = "T",
    caller: Any = CALLER,
    **members: Any,
) -> None:
    body = {
        "ggcVersion": "2.18.0",
        "platform": "linux",
        "architecture": "amd64",
        "thing": thing,
        "overallDeviceStatus": "HEALTHY",
        "sequenceNumber": sequence,
        "timestamp": 1_700_000_000_000 + sequence,
        "messageType": "COMPLETE",
        "trigger": "NUCLEUS_LAUNCH",
        "components": list(components),
        **members,
    }
    assert bench.publish(f"$aws/things/{thing}/greengrassv2/health/json", body, caller) == {}


def installed(bench: FleetBench, thing: str = "T", **members: Any) -> dict[str, Any]:
    answer = bench.greengrass("ListInstalledComponents", coreDeviceThingName=thing, topologyFilter="ALL", **members)
    return {one["componentName"]: one for one in answer["installedComponents"]}


def test_the_first_report_makes_the_core_device(bench: FleetBench) -> None:
    report(bench, 1, component("a"))

    assert bench.greengrass("GetCoreDevice", coreDeviceThingName="T") == {
        "coreDeviceThingName": "T",
        "coreVersion": "2.18.0",
        "platform": "linux",
        "architecture": "amd64",
        "runtime": "aws_nucleus_classic",
        "status": "HEALTHY",
        "lastStatusUpdateTimestamp": 1_800_000_000.0,
        "tags": {},
    }


def test_installed_components_are_shown_as_reported(bench: FleetBench) -> None:
    details = {"statusCodes": ["RUN_ERROR"], "statusReason": "it fell over"}
    report(bench, 1, component("a", status="BROKEN", componentStatusDetails=details, isRoot=False), component("b"))

    assert installed(bench)["a"] == {
        "componentName": "a",
        "componentVersion": "1.0.0",
        "lifecycleState": "BROKEN",
        "lifecycleStateDetails": "it fell over",
        "lifecycleStatusCodes": ["RUN_ERROR"],
        "isRoot": False,
        "lastInstallationSource": "arn:x",
        "lastStatusChangeTimestamp": 1_800_000_000.0,
        "lastReportedTimestamp": 1_800_000_000.0,
    }
    roots = bench.greengrass("ListInstalledComponents", coreDeviceThingName="T")["installedComponents"]
    assert [one["componentName"] for one in roots] == ["b"]


def test_an_older_report_is_passed_over(bench: FleetBench) -> None:
    report(bench, 5, component("a"))
    report(bench, 4, component("b"))
    report(bench, 5, component("c"))

    assert set(installed(bench)) == {"a"}


def test_a_device_that_was_set_up_anew_counts_from_the_beginning(bench: FleetBench) -> None:
    report(bench, 5, component("a"))
    report(bench, 1, component("b"), timestamp=1_800_000_000_000)

    assert set(installed(bench)) == {"b"}


def test_a_complete_report_replaces_and_a_partial_one_changes(bench: FleetBench) -> None:
    report(bench, 1, component("a"), component("b"))
    report(bench, 2, component("b", status="ERRORED"), messageType="PARTIAL", overallDeviceStatus="UNHEALTHY")
    partial = installed(bench)
    report(bench, 3, component("c"))

    assert {name: one["lifecycleState"] for name, one in partial.items()} == {"a": "RUNNING", "b": "ERRORED"}
    assert set(installed(bench)) == {"c"}


def test_a_partial_report_takes_away_what_no_deployment_wants_any_more(bench: FleetBench) -> None:
    report(bench, 1, component("a"), component("b"))
    report(bench, 2, component("a", fleetConfigArns=[], status="FINISHED"), messageType="PARTIAL")

    assert set(installed(bench)) == {"b"}


def test_chunks_of_one_report_add_up_in_any_order(bench: FleetBench) -> None:
    report(bench, 1, component("old"))
    report(bench, 2, component("b"), chunkInfo={"chunkId": 2, "totalChunks": 2})
    report(bench, 2, component("a"), chunkInfo={"chunkId": 1, "totalChunks": 2})
    report(bench, 2, component("c"), chunkInfo={"chunkId": 1, "totalChunks": 2})

    assert set(installed(bench)) == {"a", "b"}


def test_the_time_of_a_change_stays_while_the_state_does(bench: FleetBench) -> None:
    report(bench, 1, component("a"), component("b"))
    bench.store.clock.advance(10)
    report(bench, 2, component("a"), component("b", status="ERRORED"))

    there = installed(bench)
    assert (there["a"]["lastStatusChangeTimestamp"], there["a"]["lastReportedTimestamp"]) == (
        1_800_000_000.0,
        1_800_000_010.0,
    )
    assert there["b"]["lastStatusChangeTimestamp"] == 1_800_000_010.0


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"[]", b"{}", {"sequenceNumber": "1"}, {"sequenceNumber": 1, "timestamp": 1, "components": [1]}],
)
def test_a_report_that_says_nothing_makes_nothing(bench: FleetBench, body: Any) -> None:
    bench.publish("$aws/things/T/greengrassv2/health/json", body)

    assert bench.greengrass("ListCoreDevices")["coreDevices"] == []


def test_core_devices_are_listed_by_status_runtime_and_group(bench: FleetBench) -> None:
    bench.add_group("top")
    bench.add_group("site", "top")
    bench.add_thing("A", "site")
    report(bench, 1, thing="A")
    report(bench, 1, thing="B", overallDeviceStatus="UNHEALTHY")
    report(bench, 1, thing="C", runtime="aws_nucleus_lite")

    def names(**filters: Any) -> list[str]:
        found = bench.greengrass("ListCoreDevices", **filters)["coreDevices"]
        return [one["coreDeviceThingName"] for one in found]

    assert names() == ["A", "B", "C"]
    assert names(status="UNHEALTHY") == ["B"]
    assert names(runtime="aws_nucleus_lite") == ["C"]
    assert names(thingGroupArn=f"{IOT}thinggroup/top") == ["A"]


def test_core_devices_are_listed_page_by_page(bench: FleetBench) -> None:
    for name in ("A", "B", "C"):
        report(bench, 1, thing=name)

    first = bench.greengrass("ListCoreDevices", maxResults=2)
    rest = bench.greengrass("ListCoreDevices", maxResults=2, nextToken=first["nextToken"])

    assert [one["coreDeviceThingName"] for one in first["coreDevices"]] == ["A", "B"]
    assert [one["coreDeviceThingName"] for one in rest["coreDevices"]] == ["C"]
    assert "nextToken" not in rest


def test_a_deleted_core_device_comes_back_with_its_next_report(bench: FleetBench) -> None:
    report(bench, 1, component("a"))
    bench.greengrass("DeleteCoreDevice", coreDeviceThingName="T")
    with pytest.raises(ServiceError) as caught:
        bench.greengrass("GetCoreDevice", coreDeviceThingName="T")
    report(bench, 2, component("b"))

    assert caught.value.code == "ResourceNotFoundException"
    assert set(installed(bench)) == {"b"}


def test_a_core_device_is_told_its_groups_with_their_parents(bench: FleetBench) -> None:
    bench.add_group("top")
    bench.add_group("site", "top")
    bench.add_thing("T", "site")

    answer = bench.call("hedgerow-device", "ListThingGroupsForCoreDevice", coreDeviceThingName="T")
    nobody = bench.call("hedgerow-device", "ListThingGroupsForCoreDevice", coreDeviceThingName="unknown")

    assert answer["thingGroups"] == [
        {
            "thingGroupName": "site",
            "thingGroupArn": f"{IOT}thinggroup/site",
            "rootToParentThingGroups": [{"thingGroupName": "top", "thingGroupArn": f"{IOT}thinggroup/top"}],
        }
    ]
    assert nobody["thingGroups"] == []


def test_two_accounts_with_the_same_names_do_not_meet(bench: FleetBench) -> None:
    report(bench, 1, component("mine"))
    report(bench, 7, component("theirs"), caller=OTHER_ACCOUNT)

    assert set(installed(bench)) == {"mine"}
    bench.greengrass("DeleteCoreDevice", OTHER_ACCOUNT, coreDeviceThingName="T")
    assert set(installed(bench)) == {"mine"}
