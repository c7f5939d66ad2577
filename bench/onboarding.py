"""Devices that enrol by claim: `python -m bench.onboarding [--quick]`. Cloud and load share the machine's cores.

A device's way in: a TLS connection with the claim (CONNECT, a certificate, provision), then one of its own with the new
certificate (CONNECT, a publication that is acknowledged), which stays open. Keys and signing requests (P-256) are made
before. Warm: without the first tenth. A key pair made by the cloud is compared with `openssl genrsa 2048` on one core.
With a hook, a function is asked for each device; at last one that never answers in time, beside a template without.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from bench.load import program
from bench.record import record
from hedgerow.testing import TestCloud, start_cloud

QUICK = "--quick" in sys.argv
DEVICES, MANY, KEYS, CROWD = (200, 400, 20, 100) if QUICK else (1_000, 10_000, 300, 1_000)
PARALLEL = 32
RATE, ALL_S = 100.0, 30.0
ENDS_WITHIN_S = 400.0
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
MANAGED = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"
Row = tuple[str, str, str]
HOOK = "def handler(event, context):\n    return {'allowProvisioning': event['parameters']['ThingName'] != ''}\n"
HANGS = "import time\n\n\ndef handler(event, context):\n    time.sleep(60)\n"


@dataclass(frozen=True, slots=True)
class Load:
    """Devices that enrol at one cloud."""

    cloud: TestCloud
    claim: tuple[str, str]  # files

    def run(self, template: str, prefix: str, **settings: int) -> dict[str, float]:
        """Enrol devices and answer the figures."""
        ready = self.cloud.process.ready
        words = [f"template={template}", f"prefix={prefix}", *(f"{name}={value}" for name, value in settings.items())]
        where = [str(ready["mqtt_port"]), str(ready["ca_file"]), *self.claim, str(ready["pid"])]
        command = [str(program("enrol")), *where, *words]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # keys and requests are made
            said, _ = process.communicate(b"go\n", timeout=ENDS_WITHIN_S)
        if process.returncode:
            raise RuntimeError(f"enrolling with {template} ended with {process.returncode}")
        figures: dict[str, float] = json.loads(said)
        if figures["refused"] and template != "hangs":
            record = self.cloud.client("hedgerow").list_onboarding_attempts(outcome="REFUSED")["attempts"]
            raise RuntimeError(f"{figures['refused']} devices were refused: {record[:3]}")
        return figures


def main() -> None:
    begin = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name:
        folder = Path(name)
        process = start_cloud(folder, "--host=localhost", "--host=127.0.0.1", "--no-console")
        try:
            cloud = process.new_account(folder)
            load = Load(cloud, set_up(cloud))
            rows = [*_signed(load), *_made_by_the_cloud(load), *_with_hooks(load)]
        finally:
            process.stop()
    if QUICK:
        print("\n".join("  ".join(row) for row in rows))
        return
    method = (
        f"`bench/onboarding.py`: {PARALLEL} devices on their way at any time, two TLS connections each, cloud and load"
        f" on the same {os.cpu_count()} cores; load average {begin:.1f} before"
    )
    record("Onboarding", method, rows)


def set_up(cloud: TestCloud) -> tuple[str, str]:
    """Make policies, a role, templates and a claim; answer the files of its certificate and key."""
    iot, iam = cloud.client("iot"), cloud.client("iam")
    own, thing = f"arn:aws:iot:{cloud.region}:{cloud.account}:", "${iot:Connection.Thing.ThingName}"
    iot.create_thing_group(thingGroupName="fleet")
    topics = ["devices/hello", f"devices/{thing}/*", f"$aws/things/{thing}/*"]
    _policy(iot, "device", own, f"client/{thing}", topics)
    asking = ["$aws/certificates/create/*", "$aws/certificates/create-from-csr/*", "$aws/provisioning-templates/*"]
    _policy(iot, "claim", own, "client/claim-*", asking)
    role = iam.create_role(RoleName="fleet", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="fleet", PolicyArn=MANAGED)
    _templates(cloud, role)
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName="claim", target=made["certificateArn"])
    files = {"claim.pem": made["certificatePem"], "claim.key": made["keyPair"]["PrivateKey"]}
    for name, text in files.items():
        (cloud.folder / name).write_text(text)
    return str(cloud.folder / "claim.pem"), str(cloud.folder / "claim.key")


def _templates(cloud: TestCloud, role: str) -> None:
    """Make one without a hook, one that asks a function, and one whose function does not answer in time."""
    iot, iam, functions = (cloud.client(name) for name in ("iot", "iam", "lambda"))
    trust = json.dumps(TRUST).replace("iot.amazonaws.com", "lambda.amazonaws.com")
    worker = iam.create_role(RoleName="hook", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    common = {"templateBody": template_body(), "enabled": True, "provisioningRoleArn": role}
    iot.create_provisioning_template(templateName="fleet", **common)
    for name, code in (("asks", HOOK), ("hangs", HANGS)):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as package:
            package.writestr("app.py", code)
        made = functions.create_function(
            FunctionName=name,
            Role=worker,
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Timeout=60,
            Code={"ZipFile": data.getvalue()},
        )
        functions.add_permission(
            FunctionName=name,
            StatementId="iot",
            Action="lambda:InvokeFunction",
            Principal="iot.amazonaws.com",
            SourceArn=f"arn:aws:iot:{cloud.region}:{cloud.account}:provisioningtemplate/{name}",
        )
        hook = {"targetArn": made["FunctionArn"], "payloadVersion": "2020-04-01"}
        iot.create_provisioning_template(templateName=name, preProvisioningHook=hook, **common)


def _policy(iot: Any, name: str, own: str, client: str, topics: list[str]) -> None:
    rights = [("iot:Connect", [own + client])]
    rights += [(action, [f"{own}topic/{topic}" for topic in topics]) for action in ("iot:Publish", "iot:Receive")]
    rights += [("iot:Subscribe", [f"{own}topicfilter/{topic}" for topic in topics])]
    statements = [{"Effect": "Allow", "Action": action, "Resource": resources} for action, resources in rights]
    iot.create_policy(policyName=name, policyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))


def template_body() -> str:
    """A thing in a group, an active certificate, the device policy, and an answer for the device."""
    thing = {"ThingName": {"Ref": "ThingName"}, "ThingGroups": ["fleet"], "AttributePayload": {"line": "a"}}
    resources = {
        "thing": {"Type": "AWS::IoT::Thing", "Properties": thing},
        "certificate": {
            "Type": "AWS::IoT::Certificate",
            "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"},
        },
        "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "device"}},
    }
    parameters = {"ThingName": {"Type": "String"}}
    configuration = {"topic": {"Fn::Join": ["/", ["devices", {"Ref": "ThingName"}]]}}
    return json.dumps({"Parameters": parameters, "Resources": resources, "DeviceConfiguration": configuration})


def _signed(load: Load) -> list[Row]:
    first = load.run("fleet", "first-", count=DEVICES, parallel=PARALLEL)
    many = load.run("fleet", "many-", count=MANY, parallel=PARALLEL)
    return [
        (
            f"{DEVICES:,} devices, own keys: once warm; CPU of each, cloud and load; cores",
            _shares(first, first["warm_rate"]),
            f"≥ {RATE:g}/s{_verdict(first['warm_rate'] >= RATE)}",
        ),
        (
            f"{DEVICES:,} devices, all of them",
            f"{first['seconds']:.1f} s",
            f"≤ {ALL_S:g} s{_verdict(first['seconds'] <= ALL_S)}",
        ),
        (f"{DEVICES:,} devices, each: median, p99, longest", _times(first), ""),
        (
            f"{MANY:,} devices more: once warm; CPU of each, cloud and load; cores",
            _shares(many, many["warm_rate"]),
            f"≥ {RATE:g}/s{_verdict(many['warm_rate'] >= RATE)}",
        ),
        (
            f"{MANY:,} devices, the last tenth",
            f"{many['last_rate']:.0f}/s",
            f"≥ {RATE:g}/s{_verdict(many['last_rate'] >= RATE)}",
        ),
    ]


def _made_by_the_cloud(load: Load) -> list[Row]:
    bare, library = _bare_keys(), _library_keys()
    made = load.run("fleet", "keys-", count=KEYS, parallel=PARALLEL, csr=0)
    rate = made["warm_rate"]
    version = subprocess.run(["openssl", "version"], stdout=subprocess.PIPE, check=True, text=True).stdout
    return [
        (
            f"{KEYS:,} devices, RSA keys made by the cloud: once warm; CPU of each, cloud and load; cores",
            _shares(made, rate),
            "",
        ),
        (
            f"the same beside bare `openssl genrsa 2048` ({' '.join(version.split()[:2])}) on one core",
            f"{bare:.1f} keys/s: {rate / bare:.2f}",
            "",
        ),
        ("the same beside key after key in one thread of Python", f"{library:.1f} keys/s: {rate / library:.2f}", ""),
    ]


def _bare_keys() -> float:
    """Answer how many keys per second openssl makes, process after process on one core."""
    openssl = shutil.which("openssl") or "openssl"
    core = {min(os.sched_getaffinity(0))}
    begun = time.perf_counter()
    for _ in range(KEYS // 3):
        subprocess.run(
            [openssl, "genrsa", "2048"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, core),
        )
    return (KEYS // 3) / (time.perf_counter() - begun)


def _library_keys() -> float:
    """Answer how many keys per second the library makes that the cloud uses, with an OpenSSL of its own."""
    begun = time.perf_counter()
    for _ in range(KEYS):
        rsa.generate_private_key(65537, 2048)
    return KEYS / (time.perf_counter() - begun)


def _with_hooks(load: Load) -> Iterator[Row]:
    asked = load.run("asks", "asks-", count=DEVICES, parallel=PARALLEL)
    yield (
        f"{DEVICES:,} devices, each approved by a function: once warm; CPU of each, cloud and load; cores",
        _shares(asked, asked["warm_rate"]),
        f"≥ {RATE:g}/s{_verdict(asked['warm_rate'] >= RATE)}",
    )
    stuck: dict[str, float] = {}
    crowd = threading.Thread(target=lambda: stuck.update(load.run("hangs", "hangs-", count=CROWD, parallel=CROWD)))
    crowd.start()
    beside = load.run("fleet", "beside-", count=DEVICES, parallel=PARALLEL)
    crowd.join()
    yield (
        f"{CROWD:,} devices at once whose function does not answer in time: refused; the slowest, with its connection",
        f"{stuck['refused']:,}; {stuck['longest_s']:.1f} s",
        f"{CROWD:,}{_verdict(stuck['refused'] == CROWD)}",
    )
    yield (
        f"{DEVICES:,} devices beside them, without a function: all of them; median, p99, longest",
        f"{beside['devices'] / beside['seconds']:.0f}/s; {_times(beside)}",
        "none refused",
    )


def _shares(found: dict[str, float], rate: float) -> str:
    count, took = found["devices"], found["seconds"]
    each = f"{found['server_cpu'] / count * 1e3:.1f} ms and {found['load_cpu'] / count * 1e3:.1f} ms"
    return f"{rate:.0f}/s; {each}; {found['server_cpu'] / took:.0%} and {found['load_cpu'] / took:.0%}"


def _times(found: dict[str, float]) -> str:
    return f"{found['median_s'] * 1e3:.0f} ms, {found['p99_s'] * 1e3:.0f} ms, {found['longest_s'] * 1e3:.0f} ms"


def _verdict(met: bool) -> str:
    return "" if met else " **missed**"


if __name__ == "__main__":
    os.environ.pop("AWS_PROFILE", None)
    main()
