"""Ways in that an operator or a trusted user begins: claims of their own, and devices registered for them."""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from websockets.sync.client import connect as websocket

from hedgerow.testing import Device, TestCloud, start_cloud
from tests.support.mqtt import Connected, ask, connected
from tests.support.openssl import OpenSsl, Pair
from tests.support.own_cas import publish
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]

CREATE = "$aws/certificates/create/json"
CREATE_FROM_CSR = "$aws/certificates/create-from-csr/json"
PROVISION = "$aws/provisioning-templates/fleet/provision/json"
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
LAMPS = 120
MANAGED = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"


def body(certificate: Mapping[str, Any], *parameters: str) -> str:
    declared = {name: {"Type": "String"} for name in ("ThingName", *parameters)}
    resources = {
        "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "ThingName"}}},
        "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {**certificate, "Status": "Active"}},
        "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "device"}},
    }
    return json.dumps({"Parameters": declared, "Resources": resources})


def set_up(cloud: TestCloud) -> str:
    """Make policy, role and template; answer the template's ARN."""
    iot, iam = cloud.client("iot"), cloud.client("iam")
    iot.create_policy(policyName="device", policyDocument=json.dumps(ANYTHING))
    role = iam.create_role(RoleName="fleet", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="fleet", PolicyArn=MANAGED)
    made = iot.create_provisioning_template(
        templateName="fleet",
        templateBody=body({"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}}),
        enabled=True,
        provisioningRoleArn=role,
    )
    return str(made["templateArn"])


def trusted_user(cloud: TestCloud, template_arn: str) -> Any:
    iam = cloud.client("iam")
    iam.create_user(UserName="installer")
    right = {"Effect": "Allow", "Action": "iot:CreateProvisioningClaim", "Resource": template_arn}
    iam.put_user_policy(UserName="installer", PolicyName="own", PolicyDocument=json.dumps({"Statement": [right]}))
    key = iam.create_access_key(UserName="installer")["AccessKey"]
    return cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"]).client("iot")


def device(cloud: TestCloud, folder: Path, name: str, certificate_pem: str, key_pem: str) -> Device:
    files = {"cert": folder / f"{name}.pem", "key": folder / f"{name}.key"}
    files["cert"].write_text(certificate_pem)
    files["key"].write_text(key_pem)
    ready = cloud.process.ready
    return Device(
        name=name,
        host=cloud.host,
        mqtt_port=ready["mqtt_port"],
        https_port=ready["https_port"],
        key_file=files["key"],
        certificate_file=files["cert"],
        ca_file=Path(ready["ca_file"]),
        certificate_arn="",
    )


def denied(call: Any) -> bool:
    with pytest.raises(ClientError) as caught:
        call()
    return bool(caught.value.response["Error"]["Code"] == "AccessDeniedException")


@pytest.mark.spec("AL-28", "AL-43", "AL-46", "AL-47", "BS-05")
def test_a_trusted_users_claim_lets_a_device_in_and_is_good_for_nothing_else(
    hedgerow_cloud: TestCloud, tmp_path: Path
) -> None:
    installer = trusted_user(hedgerow_cloud, set_up(hedgerow_cloud))
    claim = installer.create_provisioning_claim(templateName="fleet")
    asking = device(hedgerow_cloud, tmp_path, "lamp-claim", claim["certificatePem"], claim["keyPair"]["PrivateKey"])
    request = OpenSsl(tmp_path).run(
        "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "bulb.key", "-subj", "/CN=bulb"
    )

    with connected(asking) as connection:
        got = ask(connection, CREATE, {})
        given = {"certificateOwnershipToken": got["certificateOwnershipToken"], "parameters": {"ThingName": "lamp"}}
        lamp = ask(connection, PROVISION, given)
        other = ask(connection, CREATE_FROM_CSR, {"certificateSigningRequest": request})
        given = {"certificateOwnershipToken": other["certificateOwnershipToken"], "parameters": {"ThingName": "bulb"}}
        bulb = ask(connection, PROVISION, given)
        connection.client.publish("sites/a", b"x", 1)
        until("the claim is cut off", lambda: connection.ended)

    assert (lamp["thingName"], bulb["thingName"]) == ("lamp", "bulb")
    own = device(hedgerow_cloud, tmp_path, "lamp", got["certificatePem"], got["privateKey"])
    assert publish(hedgerow_cloud, Pair(own.certificate_file, own.key_file)) == 0
    own = device(hedgerow_cloud, tmp_path, "bulb", other["certificatePem"], (tmp_path / "bulb.key").read_text())
    with connected(own) as connection:
        connection.publish("sites/a", b"x")
    certificates = hedgerow_cloud.client("iot").list_certificates()["certificates"]
    assert claim["certificateId"] not in [each["certificateId"] for each in certificates]
    assert denied(lambda: installer.list_things())
    assert denied(lambda: installer.create_provisioning_claim(templateName="other"))


def hedgerow(cloud: TestCloud, *arguments: str) -> list[str]:
    """Run the command as the account's root and answer what it printed."""
    key = cloud.session.get_credentials()
    assert key is not None
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": cloud.process.ready["api_url"],
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_REGION": cloud.region,
        "AWS_DEFAULT_REGION": cloud.region,
    }
    command = [sys.executable, "-m", "hedgerow", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


@pytest.mark.spec("AL-41", "AL-51", "BS-04", "BS-25")
def test_a_registered_claim_provisions_as_many_devices_as_it_may_and_takes_nobodys_name(
    hedgerow_cloud: TestCloud, tmp_path: Path
) -> None:
    set_up(hedgerow_cloud)
    iot, own = hedgerow_cloud.client("iot"), hedgerow_cloud.client("hedgerow")
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName="device", target=made["certificateArn"])
    put = own.put_claim(certificateId=made["certificateId"], templates=["fleet"], devices=1, networks=["127.0.0.0/8"])
    claim = device(hedgerow_cloud, tmp_path, "factory", made["certificatePem"], made["keyPair"]["PrivateKey"])

    with connected(claim) as connection:
        first, second = (ask(connection, CREATE, {}) for _ in range(2))
        bodies = [
            {"certificateOwnershipToken": each["certificateOwnershipToken"], "parameters": {"ThingName": name}}
            for each, name in ((first, "lamp"), (second, "bulb"))
        ]
        answers = [ask(connection, PROVISION, each) for each in (*bodies, bodies[0])]

    assert put["claim"]["kind"] == "REGISTERED"
    (line,) = hedgerow(hedgerow_cloud, "claim", "list")
    assert line.split("  ")[1:] == ["REGISTERED", "1 of 1 devices", "for fleet", "in 127.0.0.0/8"]
    assert [answer.get("thingName") for answer in answers] == ["lamp", None, "lamp"]
    assert (answers[1]["statusCode"], answers[1]["errorCode"]) == (403, "AccessDenied")
    assert [each["devicesUsed"] for each in own.list_claims()["claims"]] == [1]
    pair = Pair(claim.certificate_file, claim.key_file)
    assert publish(hedgerow_cloud, pair) != 0  # with the client id `lamp`, which is a thing's name by now
    failed = hedgerow(hedgerow_cloud, "onboarding", "list", "--failed")
    assert [line.split()[2:6] for line in failed] == [
        ["CLAIM", "REFUSED", "lamp", "127.0.0.1"],
        ["CLAIM", "REFUSED", "bulb", "127.0.0.1"],
    ]
    assert "may not use the name of the thing lamp" in failed[0]
    (line,) = hedgerow(hedgerow_cloud, "onboarding", "list", "--device", "lamp", "--json")
    accepted = json.loads(line)
    assert (accepted["outcome"], accepted["certificateId"]) == ("ACCEPTED", first["certificateId"])
    until(
        "AWS's metrics are there",
        lambda: aws_metrics(hedgerow_cloud, made["certificateId"]) == [(2, 0), (3, 1), (2, 2)],
    )


def aws_metrics(cloud: TestCloud, claim: str) -> list[tuple[int, int]]:
    """Answer of each of AWS's metrics of provisioning how many samples it has, and their sum."""
    metrics, found = cloud.client("cloudwatch"), []
    span = {"StartTime": time.time() - 3600, "EndTime": time.time() + 60, "Period": 86_400}
    for name, dimension, value in (
        ("CreateKeysAndCertificateFailed", "", ""),
        ("RegisterThingFailed", "TemplateName", "fleet"),
        ("ApproximateNumberOfThingsRegistered", "ClaimCertificateId", claim),
    ):
        points = metrics.get_metric_statistics(
            Namespace="AWS/IoT",
            MetricName=name,
            Statistics=["SampleCount", "Sum"],
            Dimensions=[{"Name": dimension, "Value": value}] if dimension else [],
            **span,
        )["Datapoints"]
        found.append((int(sum(one["SampleCount"] for one in points)), int(sum(one["Sum"] for one in points))))
    return found


def post(cloud: TestCloud, own: Device, topic: str) -> int:
    """Publish by HTTPS with curl; answer the status."""
    ready = cloud.process.ready
    files = ["--cacert", ready["ca_file"], "--cert", str(own.certificate_file), "--key", str(own.key_file)]
    where = f"https://localhost:{ready['https_port']}/topics/{topic}?qos=1"
    options = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--data", "x"]
    done = subprocess.run(["curl", *options, *files, where], capture_output=True, text=True, check=True, timeout=30)
    return int(done.stdout)


def test_a_token_is_over_once_the_device_has_come_as_itself_by_https(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    set_up(hedgerow_cloud)
    claim = hedgerow_cloud.client("iot").create_provisioning_claim(templateName="fleet")
    asking = device(hedgerow_cloud, tmp_path, "boot", claim["certificatePem"], claim["keyPair"]["PrivateKey"])

    with connected(asking) as connection:
        got = ask(connection, CREATE, {})
        own = device(hedgerow_cloud, tmp_path, "lamp", got["certificatePem"], got["privateKey"])
        early = post(hedgerow_cloud, own, "sites/a")
        given = {"certificateOwnershipToken": got["certificateOwnershipToken"], "parameters": {"ThingName": "lamp"}}
        twice = [ask(connection, PROVISION, given).get("thingName") for _ in range(2)]
        late = post(hedgerow_cloud, own, "sites/a")
        over = ask(connection, PROVISION, given)

    assert (early, twice, late) == (403, ["lamp", "lamp"], 200)
    assert over["errorCode"] == "InvalidCertificateOwnershipToken"


def wait_until_cut_off(connection: Connected) -> None:
    until("the claim is cut off", lambda: connection.ended)


@pytest.mark.spec("AL-41", "BS-05")
def test_what_a_claim_may_not_do_is_in_the_record_of_attempts(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    set_up(hedgerow_cloud)
    iot, own = hedgerow_cloud.client("iot"), hedgerow_cloud.client("hedgerow")
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName="device", target=made["certificateArn"])
    own.put_claim(certificateId=made["certificateId"], templates=["fleet"])
    claim = device(hedgerow_cloud, tmp_path, "box-7", made["certificatePem"], made["keyPair"]["PrivateKey"])
    other = PROVISION.replace("fleet", "others")
    wanted = {"parameters": {"ThingName": "lamp", "Secret": "hunter2"}, "certificateOwnershipToken": "t0ken"}

    for topic, payload in (
        (other, json.dumps(wanted)),
        (CREATE_FROM_CSR, json.dumps({"certificateSigningRequest": "x" * 1_000_000})),
        ("sites/a", "x"),
    ):
        with connected(claim) as connection:
            connection.client.publish(topic, payload, 0)
            wait_until_cut_off(connection)
    with connected(claim) as connection:
        assert connection.subscribe(f"{other}/accepted") == [0x80]

    def failed() -> list[dict[str, Any]]:
        lines = hedgerow(hedgerow_cloud, "onboarding", "list", "--failed", "--json")
        return [json.loads(line) for line in reversed(lines)]

    attempts = until("all four are noted", lambda: found if len(found := failed()) == 4 else None)
    assert [(each.get("templateName"), each.get("device")) for each in attempts] == [
        ("others", "lamp"),
        (None, None),
        (None, None),
        ("others", None),
    ]
    assert {(each["way"], each["clientId"], each["address"]) for each in attempts} == {("CLAIM", "box-7", "127.0.0.1")}
    reasons = [each["reason"] for each in attempts]
    assert reasons[0] == f"may not publish to {other}: the claim is not for the template others"
    assert reasons[1].startswith("a packet of 10000")
    assert reasons[2] == "may not publish to sites/a"
    assert reasons[3] == f"may not subscribe to {other}/accepted: the claim is not for the template others"
    assert not [word for word in ("hunter2", "t0ken") if word in json.dumps(attempts)]


@pytest.mark.spec("AL-46", "AL-50")
def test_the_command_writes_a_claim_into_files_of_ones_own(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    set_up(hedgerow_cloud)
    folder = tmp_path / "claim"

    hedgerow(hedgerow_cloud, "claim", "create", "--template", "fleet", "--out", str(folder))

    assert (folder / "claim.key").stat().st_mode & 0o777 == 0o600
    (line,) = hedgerow(hedgerow_cloud, "claim", "list")
    certificate_id, kind = line.split("  ")[:2]
    assert kind == "TEMPORARY"
    hedgerow(hedgerow_cloud, "claim", "delete", certificate_id)
    assert hedgerow(hedgerow_cloud, "claim", "list") == []
    with pytest.raises(subprocess.CalledProcessError):
        hedgerow(hedgerow_cloud, "claim", "create", "--template", "fleet", "--out", str(folder))


@pytest.mark.spec("AL-27")
def test_an_operator_registers_a_device_that_made_its_own_key(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    set_up(hedgerow_cloud)
    iot, key = hedgerow_cloud.client("iot"), tmp_path / "lamp.key"
    request = OpenSsl(tmp_path).run("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj", "/CN=lamp")

    done = iot.register_thing(
        templateBody=body({"CertificateSigningRequest": {"Ref": "CSR"}}, "CSR"),
        parameters={"ThingName": "lamp", "CSR": request},
    )

    certificate = tmp_path / "lamp.pem"
    certificate.write_text(done["certificatePem"])
    assert publish(hedgerow_cloud, Pair(certificate, key)) == 0
    assert set(done["resourceArns"]) == {"thing", "certificate", "policy"}
    assert iot.list_thing_principals(thingName="lamp")["principals"] == [done["resourceArns"]["certificate"]]
    with pytest.raises(iot.exceptions.ResourceRegistrationFailureException):
        iot.register_thing(
            templateBody=body({"CertificateId": "0" * 64}), parameters={"ThingName": "bulb", "CSR": request}
        )
    assert [each["thingName"] for each in iot.list_things()["things"]] == ["lamp"]


@pytest.mark.spec("AL-27")
def test_a_file_of_devices_is_registered_once_although_the_cloud_is_killed_in_the_middle(tmp_path: Path) -> None:
    process = start_cloud(tmp_path, "--no-console")
    try:
        cloud = process.new_account(tmp_path)
        set_up(cloud)
        rights = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::factory/*"}
        cloud.client("iam").put_role_policy(
            RoleName="fleet", PolicyName="file", PolicyDocument=json.dumps({"Statement": [rights]})
        )
        role = cloud.client("iam").get_role(RoleName="fleet")["Role"]["Arn"]
        key = tmp_path / "lamp.key"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        request = OpenSsl(tmp_path).run("req", "-new", *curve, "-nodes", "-keyout", key, "-subj", "/CN=lamp")
        lines = [json.dumps({"ThingName": f"lamp-{number:03d}", "CSR": request}) for number in range(LAMPS)]
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="factory")
        s3.put_object(Bucket="factory", Key="lamps.json", Body="\n".join([*lines, "nonsense"]).encode())
        iot = cloud.client("iot")
        task = iot.start_thing_registration_task(
            templateBody=body({"CertificateSigningRequest": {"Ref": "CSR"}}, "CSR"),
            inputFileBucket="factory",
            inputFileKey="lamps.json",
            roleArn=role,
        )["taskId"]

        until("some lamps", lambda: iot.describe_thing_registration_task(taskId=task)["successCount"])
        process.kill()
        process.start()
        done = until("the end of the task", lambda: ended(iot, task), within_s=60)

        assert (done["status"], done["successCount"], done["failureCount"]) == ("Completed", LAMPS, 1)
        pages = iot.get_paginator("list_certificates").paginate()
        assert sum(len(page["certificates"]) for page in pages) == LAMPS
        results, errors = (report(cloud, task, kind) for kind in ("RESULTS", "ERRORS"))
        assert [each["lineNumber"] for each in results] == list(range(1, LAMPS + 1))
        assert [each["lineNumber"] for each in errors] == [LAMPS + 1]
        certificate = tmp_path / "lamp.pem"
        certificate.write_text(results[7]["response"]["certificatePem"])
        assert publish(cloud, Pair(certificate, key)) == 0
    finally:
        process.stop()


def ended(iot: Any, task: str) -> Any:
    described = iot.describe_thing_registration_task(taskId=task)
    return described if described["status"] != "InProgress" else None


def report(cloud: TestCloud, task: str, kind: str) -> list[dict[str, Any]]:
    """Fetch the reports of a kind without credentials, as their links let anybody do."""
    links = cloud.client("iot").list_thing_registration_task_reports(taskId=task, reportType=kind)["resourceLinks"]
    context = ssl.create_default_context(cafile=cloud.process.ready["ca_file"])
    texts = [urllib.request.urlopen(link, context=context, timeout=30).read() for link in links]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def vend(cloud: TestCloud, serial: str, token: str, request: str) -> tuple[int, dict[str, Any]]:
    """Ask the vending machine with curl; answer the status and the answer."""
    said = {
        "serialNumber": serial,
        "token": token,
        "certificateSigningRequest": request,
        "accountId": cloud.account,
    }
    ready = cloud.process.ready
    where = f"https://localhost:{ready['https_port']}/vending"
    options = ["--silent", "--cacert", ready["ca_file"], "--write-out", "\n%{http_code}", "--data", json.dumps(said)]
    done = subprocess.run(["curl", *options, where], capture_output=True, text=True, check=True, timeout=30)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


@pytest.mark.spec("AL-30", "AL-57", "AL-59", "AL-60", "AL-61", "AL-62")
def test_devices_with_public_data_only_are_vended_certificates(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    set_up(hedgerow_cloud)
    key, listed = tmp_path / "lamp.key", tmp_path / "devices.csv"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    request = OpenSsl(tmp_path).run("req", "-new", *curve, "-nodes", "-keyout", key, "-subj", "/CN=4711")
    watcher = hedgerow_cloud.device("watcher", policy=ANYTHING)

    with connected(watcher) as watching:
        watching.subscribe("hedgerow/vending/pending")
        waited = [vend(hedgerow_cloud, "4711", "t", request) for _ in range(2)]
        (news,) = map(json.loads, watching.payloads(1))
    assert vend(hedgerow_cloud, "4711", "another", request)[0] == 403
    assert vend(hedgerow_cloud, "4712", "t", "nonsense")[0] == 400
    assert [line.split()[:2] for line in hedgerow(hedgerow_cloud, "vending", "list")] == [["4711", "PENDING"]]
    hedgerow(hedgerow_cloud, "vending", "approve", "4711", "--template", "fleet", "--parameter", "ThingName=lamp")
    status, given = vend(hedgerow_cloud, "4711", "t", request)
    listed.write_text("serial,token,ThingName\n4713,known,bulb\n")
    hedgerow(hedgerow_cloud, "vending", "import", str(listed), "--template", "fleet")
    known = vend(hedgerow_cloud, "4713", "known", request)

    assert waited == [(200, {"status": "PENDING", "retryAfterSeconds": 60})] * 2
    assert (news["serialNumber"], news["address"]) == ("4711", "127.0.0.1")
    assert (status, given["status"], given["thingName"]) == (200, "ISSUED", "lamp")
    certificate = tmp_path / "lamp.pem"
    certificate.write_text(given["certificatePem"])
    assert publish(hedgerow_cloud, Pair(certificate, key)) == 0
    assert (known[0], known[1]["thingName"]) == (200, "bulb")
    ways = [line.split()[2:4] for line in hedgerow(hedgerow_cloud, "onboarding", "list")]
    assert ways == [["VENDING", "ACCEPTED"], ["VENDING", "ACCEPTED"], ["VENDING", "REFUSED"]]


@pytest.mark.spec("AL-56", "AL-57", "AL-60")
def test_a_device_that_waits_on_a_socket_is_served_when_it_is_approved(
    hedgerow_cloud: TestCloud, tmp_path: Path
) -> None:
    set_up(hedgerow_cloud)
    ready, own = hedgerow_cloud.process.ready, hedgerow_cloud.client("hedgerow")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    request = OpenSsl(tmp_path).run("req", "-new", *curve, "-nodes", "-keyout", tmp_path / "key", "-subj", "/CN=4711")
    said = {"serialNumber": "4711", "token": "t", "certificateSigningRequest": request}
    context = ssl.create_default_context(cafile=ready["ca_file"])

    with websocket(f"wss://localhost:{ready['https_port']}/vending", ssl=context) as socket:
        answers = []
        for text in ("{}", json.dumps({**said, "accountId": hedgerow_cloud.account})):
            socket.send(text)
            answers.append(json.loads(socket.recv(timeout=15)))
        own.approve_vending_request(serialNumber="4711", templateName="fleet")
        answers.append(json.loads(socket.recv(timeout=15)))

    bad, waiting, issued = answers
    assert (bad["statusCode"], bad["errorType"].partition(":")[0]) == (400, "ValidationException")
    assert (waiting["statusCode"], waiting["status"]) == (200, "PENDING")
    assert (issued["statusCode"], issued["status"], issued["thingName"]) == (200, "ISSUED", "4711")


@pytest.mark.spec("AL-41", "JB-25")
def test_every_attempt_is_told_to_its_account_and_counted(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    set_up(hedgerow_cloud)
    iot, metrics = hedgerow_cloud.client("iot"), hedgerow_cloud.client("cloudwatch")
    request = OpenSsl(tmp_path).run(
        "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "lamp.key", "-subj", "/CN=lamp"
    )
    template = body({"CertificateSigningRequest": {"Ref": "Request"}}, "Request")

    with connected(hedgerow_cloud.device("watcher", policy=ANYTHING)) as watching:
        watching.subscribe("hedgerow/onboarding/#")
        iot.register_thing(templateBody=template, parameters={"ThingName": "lamp", "Request": request})
        with pytest.raises(ClientError):
            iot.register_thing(templateBody=template, parameters={"ThingName": "lamp", "Request": "nonsense"})
        told = [(each.topic, json.loads(each.payload)) for each in (watching.payloads(2), watching.messages)[1]]

    def counted() -> list[float]:
        asked = {"Namespace": "Hedgerow/Onboarding", "MetricName": "Attempts", "Period": 86_400, "Statistics": ["Sum"]}
        found = []
        for outcome in ("ACCEPTED", "REFUSED"):
            dimensions = [{"Name": "Way", "Value": "OPERATOR"}, {"Name": "Outcome", "Value": outcome}]
            span = {"StartTime": time.time() - 3600, "EndTime": time.time() + 60}
            points = metrics.get_metric_statistics(**asked, **span, Dimensions=dimensions)["Datapoints"]
            found.append(sum(point["Sum"] for point in points))
        return found

    assert [(topic, news["way"], news["device"]) for topic, news in told] == [
        ("hedgerow/onboarding/accepted/operator", "OPERATOR", "lamp"),
        ("hedgerow/onboarding/refused/operator", "OPERATOR", "lamp"),
    ]
    assert "PRIVATE" not in str(told)
    assert "nonsense" not in str(told)
    until("both are counted", lambda: counted() == [1.0, 1.0])
    with urllib.request.urlopen(hedgerow_cloud.process.ready["api_url"] + "/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    counts = [line.rsplit(" ", 1) for line in lines if line.startswith("hedgerow_onboarding_attempts_total{")]
    assert len(counts) == 14
    assert [float(count) >= 1 for name, count in counts if "OPERATOR" in name] == [True, True]
