"""Fleet indexing through stock boto3 and a real device: what changes is found within moments."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from botocore.exceptions import ClientError
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.testing import CloudProcess, TestCloud, start_cloud
from tests.support.mqtt import connected
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]

ON = {
    "thingIndexingMode": "REGISTRY_AND_SHADOW",
    "thingConnectivityIndexingMode": "STATUS",
    "customFields": [{"name": "attributes.floor", "type": "Number"}],
    "filter": {
        "geoLocations": [{"name": "shadow.reported.coordinates", "order": "LatLon"}],
        "connectivity": {"includeSocketInformation": ["GET_THING_CONNECTIVITY_DATA"]},
    },
}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    process = start_cloud(tmp_path_factory.mktemp("cloud"))
    yield process
    process.stop()


@pytest.fixture
def cloud(process: CloudProcess, tmp_path: Path) -> TestCloud:
    return process.new_account(tmp_path)


def indexed(cloud: TestCloud) -> Any:
    iot = cloud.client("iot")
    iot.update_indexing_configuration(thingIndexingConfiguration=ON)
    until("the index is built", lambda: iot.describe_index(indexName="AWS_Things")["indexStatus"] == "ACTIVE")
    return iot


def finding(iot: Any, query: str, *names: str) -> Callable[[], bool]:
    return lambda: [one["thingName"] for one in iot.search_index(queryString=query)["things"]] == list(names)


@pytest.mark.spec("JB-24")
def test_a_fleet_is_searched_by_what_it_is_says_and_whether_it_is_there(cloud: TestCloud) -> None:
    iot = cloud.client("iot")
    device = cloud.device("aa-1")
    for number in (0, 2):
        iot.create_thing(thingName=f"aa-{number}", attributePayload={"attributes": {"floor": str(number)}})
    indexed(cloud)
    iot.update_thing(thingName="aa-1", attributePayload={"attributes": {"floor": "1"}})
    data = cloud.client("iot-data")
    data.update_thing_shadow(thingName="aa-2", payload=json.dumps({"state": {"reported": {"volts": 11.5}}}))
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="aa-1")
    client.tls_set_context(device.tls())
    client.connect(device.host, device.mqtt_port)
    client.loop_start()
    try:
        until("connected", finding(iot, "thingName:aa* AND connectivity.connected:true", "aa-1"))
        told = iot.get_thing_connectivity_data(thingName="aa-1", includeSocketInformation=True)
    finally:
        client.disconnect()
        client.loop_stop()

    until("gone", finding(iot, "connectivity.disconnectReason:CLIENT_INITIATED_DISCONNECT", "aa-1"))
    until("shadow", finding(iot, "shadow.reported.volts < 12 NOT attributes.floor:1", "aa-2"))
    until("attributes", finding(iot, "attributes.floor:[1 TO *]", "aa-1", "aa-2"))
    statistics = iot.get_statistics(queryString="thingName:aa*", aggregationField="attributes.floor")["statistics"]
    assert (statistics["count"], statistics["average"], statistics["maximum"]) == (3, 1.0, 2.0)
    assert iot.get_thing_connectivity_data(thingName="aa-1")["connected"] is False
    assert (told["targetIp"], told["targetPort"]) == ("127.0.0.1", device.mqtt_port)
    assert told["sourceIp"] == "127.0.0.1"
    assert told["sourcePort"] not in (0, device.mqtt_port)


@pytest.mark.spec("JB-24")
def test_bikes_are_found_by_where_they_said_they_are(cloud: TestCloud) -> None:
    iot = indexed(cloud)
    field = "shadow.reported.coordinates"
    for name, longitude in (("bike-1", -122.3333), ("bike-2", -120.0)):
        iot.create_thing(thingName=name)
        state = {"state": {"reported": {"coordinates": {"lat": 47.6153, "lon": longitude}}}}
        cloud.client("iot-data").update_thing_shadow(thingName=name, payload=json.dumps(state))

    until("near", finding(iot, f"{field}:geo_distance,47.6204,-122.3491,15.5km", "bike-1"))
    until("farther", finding(iot, f"{field}:geo_distance,47.6204,-122.3491,200mi", "bike-1", "bike-2"))


@pytest.mark.spec("JB-30")
def test_a_dynamic_group_follows_and_its_new_member_gets_the_job(cloud: TestCloud) -> None:
    iot = indexed(cloud)
    group = iot.create_dynamic_thing_group(thingGroupName="low", queryString="shadow.reported.volts < 11")
    until("built", lambda: iot.describe_thing_group(thingGroupName="low")["status"] == "ACTIVE")
    iot.create_job(jobId="swap", targets=[group["thingGroupArn"]], document="{}", targetSelection="CONTINUOUS")
    iot.create_thing(thingName="box")
    data = cloud.client("iot-data")

    data.update_thing_shadow(thingName="box", payload=json.dumps({"state": {"reported": {"volts": 10.5}}}))
    until("in", lambda: iot.list_things_in_thing_group(thingGroupName="low")["things"] == ["box"])
    until("job", lambda: iot.list_job_executions_for_thing(thingName="box")["executionSummaries"])
    data.update_thing_shadow(thingName="box", payload=json.dumps({"state": {"reported": {"volts": 12}}}))

    until("out", lambda: iot.list_things_in_thing_group(thingGroupName="low")["things"] == [])


def test_a_query_that_is_none_says_what_is_wrong(cloud: TestCloud) -> None:
    iot = indexed(cloud)

    with pytest.raises(iot.exceptions.InvalidQueryException, match="the parenthesis at position 1 is not closed"):
        iot.search_index(queryString="(a")


def test_the_paginator_and_the_rights_of_boto3_work(cloud: TestCloud) -> None:
    iot = indexed(cloud)
    for name in "abcde":
        iot.create_thing(thingName=name)
    until("all are there", finding(iot, "*", *"abcde"))
    iam = cloud.client("iam")
    iam.create_user(UserName="reader")
    allowed = {"Effect": "Allow", "Action": "iot:SearchIndex", "Resource": "*"}
    allowed["Resource"] = f"arn:aws:iot:{cloud.region}:{cloud.account}:index/AWS_Things"
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="reader", PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    reader = cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"]).client("iot")

    first = reader.search_index(queryString="*", maxResults=3)
    second = reader.search_index(queryString="*", maxResults=3, nextToken=first["nextToken"])

    assert [one["thingName"] for one in first["things"] + second["things"]] == list("abcde")
    with pytest.raises(ClientError, match="index/AWS_ThingGroups"):
        reader.search_index(queryString="*", indexName="AWS_ThingGroups")


def test_a_connection_that_a_kill_cut_is_no_longer_told_as_connected(tmp_path: Path) -> None:
    process = start_cloud(tmp_path)
    cloud = process.new_account(tmp_path)
    iot = indexed(cloud)
    iot.create_thing(thingName="box")
    device = cloud.device("box")
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="box", reconnect_on_failure=False)
    client.tls_set_context(device.tls())
    client.connect(device.host, device.mqtt_port)
    client.loop_start()
    until("connected", finding(iot, "connectivity.connected:true", "box"))

    process.kill()
    client.loop_stop()
    process.start()
    iot = cloud.client("iot")

    try:
        until("the end is told", finding(iot, "connectivity.connected:false", "box"))
    finally:
        process.stop()


def test_whoever_connects_is_told_as_connected_whatever_was_before(tmp_path: Path) -> None:
    process = start_cloud(tmp_path)
    try:
        cloud = process.new_account(tmp_path)
        everything = {"Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
        iot, lamp, pump = indexed(cloud), cloud.device("lamp"), cloud.device("pump", everything)
        iot.detach_thing_principal(thingName="pump", principal=pump.certificate_arn)
        iot.delete_thing(thingName="pump")
        with connected(lamp):
            until("connected", finding(iot, "connectivity.connected:true", "lamp"))
        until("gone", finding(iot, "connectivity.connected:false", "lamp"))
        process.kill()  # the number of its connection is forgotten
        process.start()
        iot = cloud.client("iot")

        port = process.ready["mqtt_port"]
        with connected(lamp, port=port), connected(pump, port=port):
            until("connected again", finding(iot, "connectivity.connected:true", "lamp"))
            iot.create_thing(thingName="pump")
            until("connected before it was a thing", finding(iot, "connectivity.connected:true", "lamp", "pump"))
        until("both are gone", finding(iot, "connectivity.connected:false", "lamp", "pump"))
    finally:
        process.stop()


def test_a_fleet_metric_is_made_told_changed_and_deleted(cloud: TestCloud) -> None:
    iot = indexed(cloud)
    made = iot.create_fleet_metric(
        metricName="floors",
        queryString="thingName:*",
        aggregationType={"name": "Statistics", "values": ["count", "average"]},
        aggregationField="attributes.floor",
        period=60,
        indexName="AWS_Things",
    )
    iot.update_fleet_metric(metricName="floors", indexName="AWS_Things", period=300, expectedVersion=1)

    told = iot.describe_fleet_metric(metricName="floors")
    listed = iot.list_fleet_metrics()["fleetMetrics"]
    iot.delete_fleet_metric(metricName="floors", expectedVersion=2)

    assert (told["period"], told["version"], told["aggregationType"]["values"]) == (300, 2, ["count", "average"])
    assert told["lastModifiedDate"] >= told["creationDate"]
    assert listed == [{"metricName": "floors", "metricArn": made["metricArn"]}]
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_fleet_metric(metricName="floors")
