"""What the demo sets up in the cloud for its devices, all of it through boto3: policies, roles, a template, rules."""

import json
from typing import Any, Final

GROUP: Final = "radio-sites"
DEVICE_POLICY: Final = "radio-site"
CLAIM_POLICY: Final = "radio-site-claim"
CLAIM_CLIENT: Final = "claim-"
TEMPLATE: Final = "radio-site"
DEVICE_ROLE: Final = "radio-site-device"
ROLE_ALIAS: Final = "radio-site-device"
RULE_ROLE: Final = "radio-site-rules"
PROVISIONING_ROLE: Final = "radio-site-provisioning"
FUNCTION_ROLE: Final = "radio-monitor"
NAMESPACE: Final = "RadioSites"
FAULT_LOG: Final = "/radio-sites/faults"
THING: Final = "${iot:Connection.Thing.ThingName}"
METRICS: Final = ("signal_dbm", "temperature_c", "fan_on")


def document(*statements: dict[str, Any]) -> str:
    """Answer a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | list[str], resources: str | list[str]) -> dict[str, Any]:
    """Answer a statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def trust(service: str) -> str:
    """Answer a role's trust policy for one service."""
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def device_policy(region: str, account: str) -> str:
    """What an enrolled site may do: speak for itself, about itself."""
    own = f"arn:aws:iot:{region}:{account}:"
    topics = [f"$aws/things/{THING}/*", f"sites/{THING}/*"]
    return document(
        allow("iot:Connect", f"{own}client/{THING}"),
        allow(["iot:Publish", "iot:Receive"], [f"{own}topic/{topic}" for topic in topics]),
        allow("iot:Subscribe", [f"{own}topicfilter/{topic}" for topic in topics]),
        allow("iot:AssumeRoleWithCertificate", f"{own}rolealias/{ROLE_ALIAS}"),
        allow(
            [
                "greengrass:GetComponentVersionArtifact",
                "greengrass:ListThingGroupsForCoreDevice",
                "greengrass:ResolveComponentCandidates",
                "hedgerow:RotateCertificate",
            ],
            "*",
        ),
    )


def claim_policy(region: str, account: str) -> str:
    """What the claim may do: enrol by this template, nothing else, and never under a client id that a site has."""
    own = f"arn:aws:iot:{region}:{account}:"
    topics = ["$aws/certificates/create-from-csr/*", f"$aws/provisioning-templates/{TEMPLATE}/provision/*"]
    return document(
        allow("iot:Connect", f"{own}client/{CLAIM_CLIENT}*"),
        allow(["iot:Publish", "iot:Receive"], [f"{own}topic/{topic}" for topic in topics]),
        allow("iot:Subscribe", [f"{own}topicfilter/{topic}" for topic in topics]),
    )


def template_body() -> str:
    """The provisioning template: a thing in the group, an active certificate, the device policy."""
    return json.dumps(
        {
            "Parameters": {"ThingName": {"Type": "String"}, "AWS::IoT::Certificate::Id": {"Type": "String"}},
            "Resources": {
                "thing": {
                    "Type": "AWS::IoT::Thing",
                    "Properties": {"ThingName": {"Ref": "ThingName"}, "ThingGroups": [GROUP]},
                },
                "certificate": {
                    "Type": "AWS::IoT::Certificate",
                    "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"},
                },
                "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": DEVICE_POLICY}},
            },
        }
    )


def telemetry_rule(role: str) -> dict[str, Any]:
    """The rule that stores telemetry: one metric for each value, named after the site."""
    value = {"fan_on": "${CASE fan_on WHEN true THEN 1 ELSE 0 END}"}
    return {
        "sql": "SELECT * FROM 'sites/+/telemetry' WHERE signal_dbm < 0 AND temperature_c > -60",
        "awsIotSqlVersion": "2016-03-23",
        "actions": [
            {
                "cloudwatchMetric": {
                    "roleArn": role,
                    "metricNamespace": NAMESPACE,
                    "metricName": "${topic(2)}." + name,
                    "metricUnit": "None",
                    "metricValue": value.get(name, "${" + name + "}"),
                    "metricTimestamp": "${at / 1000}",
                }
            }
            for name in METRICS
        ],
    }


def fault_rule(role: str, webhook: str) -> dict[str, Any]:
    """The rule that keeps faults and sends them on."""
    return {
        "sql": "SELECT * FROM 'sites/+/faults' WHERE state = 'raised' OR state = 'cleared'",
        "awsIotSqlVersion": "2016-03-23",
        "actions": [
            {"cloudwatchLogs": {"roleArn": role, "logGroupName": FAULT_LOG}},
            {"http": {"url": webhook, "confirmationUrl": webhook}},
        ],
    }


def rule_rights(region: str, account: str) -> str:
    """What the rules' role may do."""
    return document(
        allow("cloudwatch:PutMetricData", "*"),
        allow("logs:PutLogEvents", f"arn:aws:logs:{region}:{account}:log-group:{FAULT_LOG}:*"),
    )


def device_rights() -> str:
    """What a device may do with the credentials of the role alias: fetch artifacts."""
    return document(allow("greengrass:GetComponentVersionArtifact", "*"))


def access_control(component: str) -> dict[str, Any]:
    """What the monitor may do on the core's local IPC."""
    publish = ["sites/*", "$aws/things/*/shadow/name/faults/*"]
    return {
        "aws.greengrass.ipc.mqttproxy": {
            f"{component}:mqttproxy:1": {
                "policyDescription": "publish telemetry and faults",
                "operations": ["aws.greengrass#PublishToIoTCore"],
                "resources": publish,
            },
            f"{component}:mqttproxy:2": {
                "policyDescription": "read the open faults",
                "operations": ["aws.greengrass#SubscribeToIoTCore"],
                "resources": ["$aws/things/*/shadow/name/faults/get/*"],
            },
        }
    }
