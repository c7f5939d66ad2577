"""Components whose only file is a Python script: put into the cloud and deployed, and what an edge runs of them."""

import json
import sys
from pathlib import Path
from typing import Any

from hedgerow.cli.demo import fleet
from hedgerow.testing import TestCloud
from tests.support.sites import Edge

FILE = "main.py"

IDLE = """\
import sys, time
print("running", *sys.argv[1:], flush=True)
while True:
    time.sleep(60)
"""

TELEMETRY = """\
import json, os, time
from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
ipc = GreengrassCoreIPCClientV2()
topic = f"sites/{os.environ['AWS_IOT_THING_NAME']}/telemetry"
number = 0
while True:
    ipc.publish_to_iot_core(topic_name=topic, qos="1", payload=json.dumps({"number": number}).encode())
    number += 1
    time.sleep(0.05)
"""


def put(cloud: TestCloud, name: str, version: str, script: str = IDLE) -> None:
    """Make a component version of a script; it may publish to `sites/*`."""
    s3 = cloud.client("s3")
    bucket_name = f"components-{cloud.account}"
    if bucket_name not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket_name)
    key = f"{name}/{version}/{FILE}"
    s3.put_object(Bucket=bucket_name, Key=key, Body=script.encode())
    recipe: dict[str, Any] = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentConfiguration": {"DefaultConfiguration": {"accessControl": fleet.access_control(name)}},
        "Manifests": [
            {
                "Lifecycle": {"Run": f"exec {sys.executable} -u {{artifacts:path}}/{FILE} {name} {version}"},
                "Artifacts": [{"URI": f"s3://{bucket_name}/{key}", "Permission": {"Read": "ALL"}}],
            }
        ],
    }
    cloud.client("greengrassv2").create_component_version(inlineRecipe=json.dumps(recipe).encode())


def deploy(cloud: TestCloud, **components: str) -> None:
    """Deploy versions to the group; the deployment is named after them."""
    target = f"arn:aws:iot:{cloud.region}:{cloud.account}:thinggroup/{fleet.GROUP}"
    wanted = {name: {"componentVersion": version} for name, version in components.items()}
    cloud.client("greengrassv2").create_deployment(
        targetArn=target, deploymentName=deployment(**components), components=wanted
    )


def deployment(**components: str) -> str:
    """Answer the name of the deployment of these versions."""
    return " ".join(f"{name}-{version}" for name, version in components.items())


def installed(cloud: TestCloud, core: str) -> dict[str, tuple[str, str]]:
    """Answer the version and state of each component that the core reported."""
    greengrass = cloud.client("greengrassv2")
    try:
        found = greengrass.list_installed_components(coreDeviceThingName=core)["installedComponents"]
    except greengrass.exceptions.ResourceNotFoundException:
        return {}
    return {each["componentName"]: (each["componentVersion"], each["lifecycleState"]) for each in found}


def processes(edge: Edge) -> list[tuple[str, str]]:
    """Answer component and version of each component process of this edge that lives."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        scripts = [
            number for number, word in enumerate(words) if word.startswith(str(edge.root)) and word.endswith(FILE)
        ]
        found += [(words[at + 1], words[at + 2]) for at in scripts]
    return sorted(found)
