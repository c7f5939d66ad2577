"""SIGKILL at bad moments: of the cloud while edges are connected, and of an edge in the middle of a deployment."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from hedgerow.cli.demo import fleet as parts
from hedgerow.testing import CloudProcess, TestCloud
from tests.support.components import TELEMETRY, deploy, deployment, installed, processes, put
from tests.support.mqtt import Connected, connected
from tests.support.running import started
from tests.support.sites import Edge, Fleet, fleet_of, is_connected
from tests.support.waiting import until

SOON_S = 40.0


@pytest.fixture
def process(tmp_path: Path) -> Iterator[CloudProcess]:
    with started(tmp_path) as running:
        yield running


@pytest.fixture
def cloud(process: CloudProcess, tmp_path: Path) -> TestCloud:
    return process.new_account(tmp_path)


@pytest.fixture
def fleet(cloud: TestCloud, tmp_path: Path) -> Iterator[Fleet]:
    folder = tmp_path / "sites"
    folder.mkdir()
    with fleet_of(cloud, folder) as made:
        yield made


def watcher(cloud: TestCloud) -> dict[str, object]:
    """The policy of a device that hears every site."""
    own = f"arn:aws:iot:{cloud.region}:{cloud.account}:"
    statements = [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{own}client/watcher"},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": f"{own}topicfilter/sites/+/telemetry"},
        {"Effect": "Allow", "Action": "iot:Receive", "Resource": f"{own}topic/sites/*/telemetry"},
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def numbers(watching: Connected) -> list[int]:
    return [json.loads(message.payload)["number"] for message in list(watching.messages)]


def without_repetitions(found: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(found))


@pytest.mark.slow
@pytest.mark.spec("X-06", "JB-52", "AL-05")
def test_telemetry_that_edges_keep_while_the_cloud_is_dead_arrives_whole_and_in_order(
    cloud: TestCloud, fleet: Fleet
) -> None:
    edge = fleet.enrolled("site-01")
    put(cloud, "meter", "1.0.0", TELEMETRY)
    with connected(cloud.device("watcher", watcher(cloud)), clean=False) as watching:
        watching.subscribe("sites/+/telemetry")
        deploy(cloud, meter="1.0.0")
        until("telemetry", lambda: len(watching.messages) > 5, within_s=SOON_S)

        cloud.process.kill()
        edge.says("trying again")
        at_kill = max(numbers(watching))
        cloud.process.start()

        until("the edge back by itself", lambda: is_connected(cloud, "site-01"), within_s=SOON_S)
        until("telemetry from after", lambda: max(numbers(watching)) > at_kill + 40, within_s=SOON_S)
        heard = without_repetitions(numbers(watching))

    assert heard == list(range(heard[0], heard[-1] + 1))
    assert edge.console().count("enrolled as") == 1


@pytest.mark.slow
@pytest.mark.spec("X-06", "JB-03")
def test_nothing_that_was_acknowledged_is_lost_when_the_cloud_is_killed(cloud: TestCloud) -> None:
    iot = cloud.client("iot")
    sleeper, talker = cloud.device("sleeper"), cloud.device("talker", anything_of_devices(cloud))
    with connected(sleeper, clean=False) as listening:
        listening.subscribe("devices/sleeper/orders")
    keep_faults(cloud)
    iot.create_thing(thingName="last", attributePayload={"attributes": {"made": "before-the-kill"}})
    cloud.client("iot-data").update_thing_shadow(thingName="last", payload=b'{"state": {"desired": {"fan": 1}}}')
    with connected(talker) as talking:
        talking.publish("devices/sleeper/orders", "wake up")
        talking.publish("devices/talker/state", "kept", retain=True)
        talking.publish("devices/talker/faults", json.dumps({"fault": "hot", "state": "raised"}))
        cloud.process.kill()
    cloud.process.start()

    with connected(sleeper, clean=False) as listening:
        assert listening.session_present
        assert listening.payloads(1) == [b"wake up"]
    data = cloud.client("iot-data")
    assert data.get_retained_message(topic="devices/talker/state")["payload"] == b"kept"
    assert json.loads(data.get_thing_shadow(thingName="last")["payload"].read())["state"]["desired"] == {"fan": 1}
    assert iot.describe_thing(thingName="last")["attributes"] == {"made": "before-the-kill"}
    assert faults(cloud) == [{"fault": "hot", "state": "raised"}]
    with connected(talker) as talking:
        talking.publish("devices/talker/faults", json.dumps({"fault": "hot", "state": "cleared"}))
    assert [each["state"] for each in faults(cloud)] == ["raised", "cleared"]


def anything_of_devices(cloud: TestCloud) -> dict[str, object]:
    own = f"arn:aws:iot:{cloud.region}:{cloud.account}:"
    actions = ["iot:Connect", "iot:Publish", "iot:RetainPublish"]
    resources = [f"{own}client/talker", f"{own}topic/devices/*"]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources}]}


def keep_faults(cloud: TestCloud) -> None:
    """Make the rule that keeps faults in a log."""
    iam = cloud.client("iam")
    role = iam.create_role(RoleName=parts.RULE_ROLE, AssumeRolePolicyDocument=parts.trust("iot.amazonaws.com"))
    rights = parts.rule_rights(cloud.region, cloud.account)
    iam.put_role_policy(RoleName=parts.RULE_ROLE, PolicyName="rights", PolicyDocument=rights)
    action = {"cloudwatchLogs": {"roleArn": role["Role"]["Arn"], "logGroupName": parts.FAULT_LOG}}
    payload = {"sql": "SELECT * FROM 'devices/+/faults'", "awsIotSqlVersion": "2016-03-23", "actions": [action]}
    cloud.client("iot").create_topic_rule(ruleName="faults", topicRulePayload=payload)


def faults(cloud: TestCloud) -> list[dict[str, str]]:
    events = cloud.client("logs").filter_log_events(logGroupName=parts.FAULT_LOG)["events"]
    return [json.loads(event["message"]) for event in events]


BOTH = ("left", "right")
MOMENTS: dict[str, Callable[[Edge], bool]] = {
    "it was told": lambda edge: f"deployment {deployment(left='2.0.0', right='2.0.0')} begins" in edge.console(),
    "the first file is there": lambda edge: any(edge.root.glob("**/2.0.0/main.py")),
    "the first new process runs": lambda edge: "2.0.0" in [version for _, version in processes(edge)],
}
IN_THE_SUITE = "the first file is there"  # of these; each takes seven seconds


@pytest.mark.slow
@pytest.mark.spec("JB-79", "BS-48")
@pytest.mark.parametrize(
    "moment", [pytest.param(name, marks=[] if name == IN_THE_SUITE else [pytest.mark.soak]) for name in MOMENTS]
)
def test_an_edge_that_is_killed_while_it_deploys_runs_the_old_or_the_new_and_finishes(
    cloud: TestCloud, fleet: Fleet, moment: str
) -> None:
    edge = fleet.enrolled("site-01")
    for version in ("1.0.0", "2.0.0"):
        for name in BOTH:
            put(cloud, name, version)
    deploy(cloud, left="1.0.0", right="1.0.0")
    edge.says(f"deployment {deployment(left='1.0.0', right='1.0.0')} SUCCEEDED", within_s=SOON_S)

    deploy(cloud, left="2.0.0", right="2.0.0")
    until(moment, lambda: MOMENTS[moment](edge), within_s=SOON_S)
    edge.kill()
    cloud.process.kill()  # it must come back with what it has
    edge.start()

    old, new = ([(name, version) for name in BOTH] for version in ("1.0.0", "2.0.0"))
    ran = until("both components, and nothing else", lambda: processes(edge) in (old, new) and processes(edge))
    assert ran in (old, new)
    cloud.process.start()
    edge.says(f"deployment {deployment(left='2.0.0', right='2.0.0')} SUCCEEDED", within_s=SOON_S)
    assert processes(edge) == new
    running = dict.fromkeys(BOTH, ("2.0.0", "RUNNING"))
    until("the report", lambda: running.items() <= installed(cloud, "site-01").items())
