"""What an operator asks of a running cloud: why something is denied, who is connected, how it fares."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from hedgerow.cli.main import app
from hedgerow.testing import TestCloud
from tests.support.mqtt import connected
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]


def hedgerow(cloud: TestCloud, *arguments: str) -> Result:
    """Run the command as the operator of this account."""
    ready, key = cloud.process.ready, cloud.session.get_credentials()
    assert key is not None
    environment = {
        "AWS_ENDPOINT_URL": ready["api_url"],
        "AWS_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "HEDGEROW_CA_FILE": ready["ca_file"],
        "AWS_DATA_PATH": None,
    }
    return CliRunner().invoke(app, list(arguments), env=environment)


def logged(cloud: TestCloud, event: str, **fields: Any) -> dict[str, Any] | None:
    for text in cloud.process.log.read_text("utf-8").splitlines():
        if f'"{event}"' not in text:
            continue
        line: dict[str, Any] = json.loads(text)
        if all(line.get(name) == value for name, value in fields.items()):
            return line
    return None


def test_a_denial_is_explained_on_the_command_line_as_in_the_log(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    device = cloud.device("pump-1")
    with connected(device) as client:
        client.client.publish("devices/other/level", "{}", 1)
        until("the end of the connection", lambda: client.ended)

    asked = ("explain", "--thing", "pump-1", "--action", "iot:Publish", "--topic")
    denied, allowed = hedgerow(cloud, *asked, "devices/other/level"), hedgerow(cloud, *asked, "devices/pump-1/level")

    line = until("the denial", lambda: logged(cloud, "request refused", account=cloud.account))
    assert (denied.exit_code, allowed.exit_code) == (1, 0)
    assert f"denied: {line['policy']}" in denied.stdout
    assert "statement 2 of policy " in line["policy"]
    assert (line["client"], line["reason"], len(line["certificate"])) == ("pump-1", "NOT_AUTHORIZED", 64)
    assert "is allowed by statement 2 of policy " in allowed.stdout


def test_the_variable_without_a_value_is_named(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    cloud.device("pump-1")

    asked = hedgerow(
        cloud, "explain", "--json", "--thing=pump-1", "--client-id=x", "--action=iot:Publish", "--topic=devices/x/a"
    )

    (found,) = json.loads(asked.stdout)
    assert found["missingVariable"] == "iot:Connection.Thing.ThingName"


def figures(cloud: TestCloud, url: str | None = None) -> dict[str, float]:
    """What Prometheus would read."""
    with urllib.request.urlopen(f"{url or cloud.process.ready['api_url']}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


@pytest.mark.spec("JB-25")
def test_the_cloud_tells_how_it_fares(hedgerow_cloud: TestCloud) -> None:
    cloud, before = hedgerow_cloud, figures(hedgerow_cloud)
    with connected(cloud.device("pump-1")) as client:
        client.subscribe("devices/pump-1/#")
        client.publish("devices/pump-1/level", "12345")
        client.payloads(1)
        now = figures(cloud)

    def more(name: str) -> float:
        return now[name] - before.get(name, 0)

    assert more('hedgerow_gateway_packets_total{direction="in",type="PUBLISH"}') == 1
    assert more('hedgerow_gateway_packets_total{direction="out",type="PUBLISH"}') == 1
    assert more('hedgerow_gateway_bytes_total{direction="in"}') > 5
    assert more('hedgerow_api_requests_total{service="iot",operation="CreateThing",status="200"}') == 1
    assert more('hedgerow_store_commits_total{database="main"}') > 0
    assert now["hedgerow_gateway_connections"] >= 1
    assert now['hedgerow_queue_length{queue="rules"}'] <= now['hedgerow_queue_bound{queue="rules"}']
    assert now['hedgerow_queue_length{queue="journal_bytes"}'] < now['hedgerow_queue_bound{queue="journal_bytes"}']
    assert now['hedgerow_follow_ups{state="dead"}'] >= 0


def test_devices_learn_nothing_of_it(hedgerow_cloud: TestCloud) -> None:
    device = hedgerow_cloud.device("pump-1")
    for path in ("/_metrics", "/metrics"):
        url = f"https://{device.host}:{hedgerow_cloud.process.ready['https_port']}{path}"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url, timeout=10, context=device.tls())
        assert caught.value.code in (403, 404)
        assert b"hedgerow_" not in caught.value.read()


def test_connections_are_listed_found_and_cut(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    with connected(cloud.device("pump-1")) as first, connected(cloud.device("pump-2")) as second:
        first.publish("devices/pump-1/level", "12345")
        (one,) = json.loads(hedgerow(cloud, "cloud", "connections", "--thing=pump-1", "--json").stdout)
        listed = hedgerow(cloud, "cloud", "connections", "--address=127.0.0.0/8").stdout
        cut = hedgerow(cloud, "cloud", "connections", "--client=pump-1", "--cut")
        until("the end of the connection", lambda: first.ended)
        left = cloud.session.client("hedgerow").list_connections()["connections"]
        still_there = second.client.is_connected()

    assert (one["clientId"], one["protocol"], one["packetsIn"], one["packetsOut"]) == ("pump-1", "MQTT 3.1.1", 2, 2)
    assert ["pump-1" in listed, "pump-2" in listed] == [True, True]
    assert cut.stdout == "1 cut off\n"
    assert "pump-2" in {found["clientId"] for found in left}
    assert still_there
    came = logged(cloud, "client connected", account=cloud.account, client="pump-1")
    went = logged(cloud, "client disconnected", account=cloud.account, client="pump-1")
    assert came is not None
    assert went is not None
    assert (came["thing"], came["peer"], came["certificate"]) == ("pump-1", "127.0.0.1", went["certificate"])
    assert (went["reason"], went["thing"], went["packets_in"]) == ("API_INITIATED_DISCONNECT", "pump-1", 2)


def test_who_may_not_see_connections_does_not(hedgerow_cloud: TestCloud) -> None:
    iam = hedgerow_cloud.client("iam")
    iam.create_user(UserName="poor")
    key = iam.create_access_key(UserName="poor")["AccessKey"]
    poor = hedgerow_cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"]).client("hedgerow")

    for call in (poor.list_connections, lambda: poor.close_connections(everyone=True)):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
