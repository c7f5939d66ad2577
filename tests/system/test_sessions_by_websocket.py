"""MQTT over WebSocket with temporary credentials: the connection may what the very session may, and ends with it."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from socket import SHUT_RDWR

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from hedgerow.core.mqtt import MQTT_3_1_1, Connect, Will, encode
from hedgerow.core.wire import HttpRequest, sigv4
from hedgerow.testing import TestCloud
from tests.support.mqtt import Connected, connected
from tests.support.people import allow, policy, role, trust, user
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]

ANYTHING = {"Version": "2012-10-17", "Statement": [allow("iot:*")]}
MQTT = ["iot:Connect", "iot:Publish", "iot:Subscribe", "iot:Receive"]


@contextmanager
def signed_in(cloud: TestCloud, credentials: Mapping[str, str], client_id: str = "browser") -> Iterator[Connected]:
    """Connect as a browser does: with a presigned URL."""
    ready, host = cloud.process.ready, cloud.host
    query = sigv4.presign(
        HttpRequest("GET", "/mqtt", "", {"host": host}),
        access_key_id=credentials["AccessKeyId"],
        secret=credentials["SecretAccessKey"],
        token=credentials.get("SessionToken"),
        region=cloud.region,
        service="iotdevicegateway",
        now=time.time(),
        expires_s=60,
    )
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=client_id, transport="websockets", reconnect_on_failure=False
    )
    client.tls_set(ready["ca_file"])
    client.ws_set_options(path=f"/mqtt?{query}")
    connection = Connected(client)
    client.connect(host, ready["https_port"], keepalive=60)
    client.loop_start()
    try:
        connection.wait_connected()
        yield connection
    finally:
        client.disconnect()
        client.loop_stop()


def credentials(cloud: TestCloud, **terms: str) -> Mapping[str, str]:
    """Answer credentials of the role `browser`, which may do everything by MQTT."""
    iam = cloud.client("iam")
    if not iam.list_roles()["Roles"]:
        role(cloud, "browser", trust({"AWS": cloud.account}), allow(MQTT))
    name = f"user-{len(iam.list_users()['Users'])}"
    arn = f"arn:aws:iam::{cloud.account}:role/browser"
    sts = user(cloud, name, allow("sts:AssumeRole", arn)).client("sts")
    found: Mapping[str, str] = sts.assume_role(RoleArn=arn, RoleSessionName="tab", **terms)["Credentials"]
    return found


@pytest.mark.spec("X-02")
def test_a_session_policy_holds_on_the_connection_of_its_session_alone(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    own = f"arn:aws:iot:{cloud.region}:{cloud.account}:"
    only_a = policy(allow(["iot:Publish", "iot:Receive"], own + "topic/a"), allow(["iot:Connect", "iot:Subscribe"]))
    wide, narrow = credentials(cloud), credentials(cloud, Policy=only_a)

    with signed_in(cloud, wide, "wide") as free, signed_in(cloud, narrow, "narrow") as limited:
        limited.subscribe("a")
        free.subscribe("b")
        limited.publish("a", "1")
        free.publish("b", "2")
        heard = limited.payloads(1), free.payloads(1)
        limited.client.publish("b", "3", 1)
        until("the limited one is cut off", lambda: limited.ended)
        free.publish("b", "4")
        after = free.payloads(2)

    assert heard == ([b"1"], [b"2"])
    assert after == [b"2", b"4"]


@pytest.mark.spec("X-02")
def test_a_connection_ends_with_the_role_of_its_session(hedgerow_cloud: TestCloud) -> None:
    iam = hedgerow_cloud.client("iam")
    got = credentials(hedgerow_cloud)

    with signed_in(hedgerow_cloud, got) as connection:
        connection.publish("a", "1")
        iam.delete_role_policy(RoleName="browser", PolicyName="own")
        iam.delete_role(RoleName="browser")
        until("it is cut off", lambda: connection.ended)

    assert len(connection.ended) >= 1


@pytest.mark.spec("X-02")
def test_a_federated_users_connection_follows_the_policies_of_its_user(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    everything = policy(allow(MQTT))
    ann = user(cloud, "ann", allow(["sts:GetFederationToken", *MQTT])).client("sts")
    bob = user(cloud, "bob", allow(["sts:GetFederationToken", *MQTT])).client("sts")
    of_ann, of_bob = (sts.get_federation_token(Name="guest", Policy=everything)["Credentials"] for sts in (ann, bob))

    with signed_in(cloud, of_ann, "of-ann") as limited, signed_in(cloud, of_bob, "of-bob") as free:
        limited.publish("a", "1")
        elsewhere = f"arn:aws:iot:{cloud.region}:{cloud.account}:topic/b"
        denied = policy(allow(MQTT), {"Effect": "Deny", "Action": "iot:Publish", "Resource": elsewhere})
        iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=denied)
        until("a denied publication cuts it off", lambda: limited.client.publish("b", "2", 1) and limited.ended)
        free.publish("b", "3")
        iam.delete_user_policy(UserName="bob", PolicyName="own")
        for key in iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]:
            iam.delete_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName="bob")
        until("it ends with its user", lambda: free.ended)


@pytest.mark.spec("X-02")
def test_a_connection_of_a_renamed_user_is_made_anew_with_the_same_credentials(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    ann = user(cloud, "ann", allow(["sts:GetSessionToken", *MQTT]))
    got = ann.client("sts").get_session_token()["Credentials"]

    with signed_in(cloud, got, "one") as first:
        iam.update_user(UserName="ann", NewUserName="anna")
        until("the connection under the old name ends", lambda: first.ended)
        with signed_in(cloud, got, "two") as second:
            second.publish("a", "1")
            assert not second.ended


@pytest.mark.spec("X-02")
def test_a_connection_ends_with_the_key_that_it_was_signed_with(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=policy(allow(MQTT)))
    stolen, own = (iam.create_access_key(UserName="ann")["AccessKey"] for _ in range(2))

    with signed_in(cloud, stolen, "thief") as thief, signed_in(cloud, own, "ann") as ann:
        iam.update_access_key(UserName="ann", AccessKeyId=stolen["AccessKeyId"], Status="Inactive")
        until("it is cut off", lambda: thief.ended)
        ann.publish("a", "1")
        assert not ann.ended


def test_a_device_whose_websocket_breaks_is_lost_and_its_will_is_sent(hedgerow_cloud: TestCloud) -> None:
    lamp, watcher = (hedgerow_cloud.device(name, ANYTHING) for name in ("lamp", "watcher"))
    url = f"wss://{lamp.host}:{lamp.https_port}/mqtt"
    with connected(watcher) as watching:
        watching.subscribe("gone/lamp")
        watching.subscribe("$aws/events/presence/disconnected/lamp")

        with connect(url, ssl=lamp.tls(), subprotocols=[Subprotocol("mqtt")]) as socket:
            socket.send(encode(Connect("lamp", will=Will("gone/lamp", b"gone", 1)), MQTT_3_1_1))
            socket.recv()
            socket.socket.shutdown(SHUT_RDWR)  # as a network does that breaks: no close frame, no DISCONNECT
        said = {bytes(payload) for payload in watching.payloads(2)}

    assert b"gone" in said
    (event,) = (json.loads(payload) for payload in said - {b"gone"})
    assert (event["disconnectReason"], event["clientInitiatedDisconnect"]) == ("CONNECTION_LOST", False)
