"""The steps of the demo, in order. Each does its part through public interfaces and verifies what came of it."""

import json
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any, Final

from hedgerow.cli.demo import fleet
from hedgerow.cli.demo.errors import StepFailed
from hedgerow.cli.demo.package import HANDLER, pack
from hedgerow.cli.demo.sites import write_site
from hedgerow.cli.demo.world import World, read_ready, start_cloud

COMPONENT: Final = "radio-monitor"

Step = tuple[str, Callable[[World], str]]


def start(world: World) -> str:
    """Start a cloud and wait for its ready file."""
    start_cloud(world)
    world.measured["seconds to ready"] = world.until("the ready file", lambda: read_ready(world), within_s=30)
    return f"API {world.ready['api_url']}, MQTT {world.ready['mqtt_port']}, devices' HTTPS {world.ready['https_port']}"


def set_up(world: World) -> str:
    """Make group, policies, roles, role alias, template and claim."""
    iot, region, account = world.client("iot"), world.ready["region"], world.ready["account"]
    iot.create_thing_group(thingGroupName=fleet.GROUP)
    iot.create_policy(policyName=fleet.DEVICE_POLICY, policyDocument=fleet.device_policy(region, account))
    iot.create_policy(policyName=fleet.CLAIM_POLICY, policyDocument=fleet.claim_policy(region, account))
    _make_roles(world, region, account)
    iot.create_role_alias(roleAlias=fleet.ROLE_ALIAS, roleArn=world.role[fleet.DEVICE_ROLE])
    iot.create_provisioning_template(
        templateName=fleet.TEMPLATE,
        templateBody=fleet.template_body(),
        enabled=True,
        provisioningRoleArn=world.role[fleet.PROVISIONING_ROLE],
    )
    claim = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName=fleet.CLAIM_POLICY, target=claim["certificateArn"])
    for site in world.sites:
        write_site(world, site, claim)
    templates = [each["templateName"] for each in iot.list_provisioning_templates()["templates"]]
    if templates != [fleet.TEMPLATE]:
        raise StepFailed(f"the cloud lists the templates {templates}")
    return "thing group, 2 policies, 4 roles, role alias, provisioning template, claim certificate"


def _make_roles(world: World, region: str, account: str) -> None:
    iam = world.client("iam")
    rights = {
        fleet.DEVICE_ROLE: ("credentials.iot.amazonaws.com", fleet.device_rights()),
        fleet.RULE_ROLE: ("iot.amazonaws.com", fleet.rule_rights(region, account)),
        fleet.PROVISIONING_ROLE: ("iot.amazonaws.com", None),
        fleet.FUNCTION_ROLE: ("lambda.amazonaws.com", None),
    }
    for name, (service, document) in rights.items():
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=fleet.trust(service))
        world.role[name] = made["Role"]["Arn"]
        if document is not None:
            iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=document)
    managed = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"
    iam.attach_role_policy(RoleName=fleet.PROVISIONING_ROLE, PolicyArn=managed)


def enrol(world: World) -> str:
    """Start the edges, each with the claim only, and wait until each has an identity of its own."""
    begun = time.monotonic()
    for site in world.sites:
        root = str(world.edge_root(site))
        world.processes.start(site, "hedgerow", "edge", "run", "--root", root, "--init-config", f"{root}/config.yaml")
    data = world.client("iot-data")
    world.each("connected", lambda site: is_connected(data, site), within_s=60)
    world.measured[f"seconds to enrol {len(world.sites)} devices"] = time.monotonic() - begun
    for site in world.sites:
        principals = world.client("iot").list_thing_principals(thingName=site)["principals"]
        if len(principals) != 1:
            raise StepFailed(f"{site} has {len(principals)} certificates instead of one of its own")
    group = world.client("iot").list_things_in_thing_group(thingGroupName=fleet.GROUP, maxResults=250)["things"]
    if sorted(group) != sorted(world.sites):
        raise StepFailed(f"the group {fleet.GROUP} holds {sorted(group)}")
    return f"{len(world.sites)} devices made their keys, enrolled by claim and reconnected as themselves"


def is_connected(data: Any, site: str) -> bool:
    """Tell whether a client of this name is connected."""
    try:
        return bool(data.get_connection(clientId=site)["connected"])
    except data.exceptions.ResourceNotFoundException:
        return False


def radios(world: World) -> str:
    """Start the simulated radios."""
    started = world.processes.start(
        "radios", "hedgerow.cli.demo.radios", str(len(world.sites)), "--hot", "0", reads=True
    )
    line = started.process.stdout.readline() if started.process.stdout is not None else ""
    if not line:
        raise StepFailed(f"the radios did not start: {started.last_line()}")
    world.ports = json.loads(line)["ports"]
    if len(world.ports) != len(world.sites):
        raise StepFailed(f"{len(world.ports)} radios answer for {len(world.sites)} sites")
    return f"{len(world.ports)} SNMP agents; the one of {world.hot} will overheat"


def rules(world: World) -> str:
    """Make the rules that keep telemetry and faults, and confirm the webhook."""
    iot = world.client("iot")
    world.webhook.start()
    iot.create_topic_rule_destination(
        destinationConfiguration={"httpUrlConfiguration": {"confirmationUrl": world.webhook.url}}
    )
    world.until("the webhook is asked for confirmation", lambda: bool(world.webhook.tokens), within_s=20)
    iot.confirm_topic_rule_destination(confirmationToken=world.webhook.tokens[-1])
    role = world.role[fleet.RULE_ROLE]
    iot.create_topic_rule(ruleName="telemetry", topicRulePayload=fleet.telemetry_rule(role))
    iot.create_topic_rule(ruleName="faults", topicRulePayload=fleet.fault_rule(role, world.webhook.url))
    if not world.watch.start(world.cloud()):
        raise StepFailed("the subscription to sites/+/telemetry was not granted")
    return "telemetry is stored as metrics; faults go to a log and to a confirmed webhook"


def deploy(world: World) -> str:
    """Publish the monitor, make a component of it, deploy it to the group."""
    lambda_ = world.client("lambda")
    begun = time.monotonic()
    made = lambda_.create_function(
        FunctionName=COMPONENT,
        Runtime=_runtime(),
        Handler=HANDLER,
        Role=world.role[fleet.FUNCTION_ROLE],
        Code={"ZipFile": pack(1)},
        Publish=True,
    )
    _deploy_version(world, made["FunctionArn"], "1.0.0")
    world.deployed_at = time.monotonic()
    _wait_for_version(world, "1.0.0")
    world.measured[f"seconds to deploy to {len(world.sites)} devices"] = time.monotonic() - begun
    return f"version 1 runs on {len(world.sites)} devices"


def _runtime() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def _deploy_version(world: World, function_arn: str, version: str) -> None:
    greengrass = world.client("greengrassv2")
    addresses = {site: f"127.0.0.1:{port}" for site, port in zip(world.sites, world.ports, strict=True)}
    greengrass.create_component_version(
        lambdaFunction={
            "lambdaArn": function_arn,
            "componentName": COMPONENT,
            "componentVersion": version,
            "componentLambdaParameters": {
                "pinned": True,
                "environmentVariables": {"RADIOS": json.dumps(addresses)},
                "linuxProcessParams": {"isolationMode": "NoContainer"},
            },
        }
    )
    target = f"arn:aws:iot:{world.ready['region']}:{world.ready['account']}:thinggroup/{fleet.GROUP}"
    merge = json.dumps({"accessControl": fleet.access_control(COMPONENT)})
    greengrass.create_deployment(
        targetArn=target,
        deploymentName=f"{COMPONENT} {version}",
        components={COMPONENT: {"componentVersion": version, "configurationUpdate": {"merge": merge}}},
    )


def _wait_for_version(world: World, version: str) -> None:
    greengrass = world.client("greengrassv2")

    def runs(site: str) -> bool:
        try:
            installed = greengrass.list_installed_components(coreDeviceThingName=site)["installedComponents"]
        except greengrass.exceptions.ResourceNotFoundException:
            return False
        return any(
            (each["componentName"], each["componentVersion"], each["lifecycleState"]) == (COMPONENT, version, "RUNNING")
            for each in installed
        )

    world.each(f"{COMPONENT} {version} running", runs, within_s=90)
    world.each("the deployment reported as succeeded", lambda site: _succeeded(greengrass, site), within_s=30)


def _succeeded(greengrass: Any, site: str) -> bool:
    deployments = greengrass.list_effective_deployments(coreDeviceThingName=site)["effectiveDeployments"]
    return any(each["coreDeviceExecutionStatus"] in ("SUCCEEDED", "COMPLETED") for each in deployments)


def telemetry(world: World) -> str:
    """See telemetry from every site, live and stored."""
    world.each("telemetry by MQTT", lambda site: world.watch.counts[site] >= 2, within_s=30)
    if world.watch.first_at is not None:
        world.measured["seconds from deployment to first telemetry"] = world.watch.first_at - world.deployed_at
    world.each("stored telemetry", lambda site: bool(stored(world, site, "temperature_c")), within_s=30)
    return "every site reports every second, and the rule stores it"


def stored(world: World, site: str, value: str) -> list[float]:
    """Answer the latest stored values of one site."""
    now = time.time()  # noqa: TID251  # a stranger's clock
    stat = {"Metric": {"Namespace": fleet.NAMESPACE, "MetricName": f"{site}.{value}"}, "Period": 1, "Stat": "Average"}
    answer = world.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": stat}], StartTime=now - 300, EndTime=now + 60
    )
    values: list[float] = answer["MetricDataResults"][0]["Values"]
    return values


def faults(world: World) -> str:
    """See exactly one fault raised and one cleared for the hot radio, in the log and at the webhook."""
    expected = [("overheating", "raised"), ("overheating", "cleared")]
    world.until("the fault at the webhook", lambda: len(world.webhook.events) >= 2, within_s=world.patience(60))
    _same("the webhook", [(each["fault"], each["state"]) for each in world.webhook.events], expected)
    world.until("the fault in the log", lambda: len(_logged(world)) >= 2, within_s=30)
    _same("the log", [(each["fault"], each["state"]) for each in _logged(world)], expected)
    if len({each["id"] for each in world.webhook.events}) != 1:
        raise StepFailed("the fault was raised under one id and cleared under another")
    shadow = json.loads(
        world.client("iot-data").get_thing_shadow(thingName=world.hot, shadowName="faults")["payload"].read()
    )
    left = shadow["state"].get("reported", {}).get("open", {})
    if left:
        raise StepFailed(f"the shadow of {world.hot} still has open faults: {left}")
    return f"{world.hot} overheated once: one fault raised, one cleared, in the log and at the webhook"


def _logged(world: World) -> list[dict[str, Any]]:
    logs = world.client("logs")
    try:
        events = logs.filter_log_events(logGroupName=fleet.FAULT_LOG)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [json.loads(event["message"]) for event in events]


def _same(where: str, found: list[tuple[str, str]], expected: list[tuple[str, str]]) -> None:
    if found != expected:
        raise StepFailed(f"{where} has {found} instead of {expected}")


def console(world: World) -> str:
    """Sign in to the console by a one-time link and read the page."""
    token = world.client("hedgerow").create_console_sign_in()["token"]
    with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(  # our own URL
        f"{world.ready['console_url']}/sign-in?token={token}", timeout=20
    ) as answer:
        page = answer.read().decode("utf-8", "replace")
    missing = [site for site in world.sites if site not in page]
    if missing:
        raise StepFailed(f"the console's page does not show {', '.join(missing)}")
    world.console_link = new_console_link(world)
    return f"open {world.console_link}"


def new_console_link(world: World) -> str:
    """Answer a fresh one-time link."""
    token = world.client("hedgerow").create_console_sign_in()["token"]
    return f"{world.ready['console_url']}/sign-in?token={token}"


def update(world: World) -> str:
    """Deploy version 2 and see every site switch without losing its connection."""
    data = world.client("iot-data")
    before = {site: data.get_connection(clientId=site)["connectedSince"] for site in world.sites}
    lambda_ = world.client("lambda")
    changed = lambda_.update_function_code(FunctionName=COMPONENT, ZipFile=pack(2), Publish=True)
    _deploy_version(world, changed["FunctionArn"], "2.0.0")
    _wait_for_version(world, "2.0.0")
    world.each("telemetry from release 2", lambda site: world.watch.latest[site]["release"] == 2, within_s=30)
    after = {site: data.get_connection(clientId=site)["connectedSince"] for site in world.sites}
    if before != after:
        raise StepFailed("a site lost its connection while it switched")
    return "every site switched to version 2 and kept its connection"


def recover(world: World) -> str:
    """Kill one edge, see it offline, start it again, see it back with its identity and its function."""
    site = world.sites[-1]
    iot, data = world.client("iot"), world.client("iot-data")
    before = iot.list_thing_principals(thingName=site)["principals"]
    world.processes.kill(site)
    world.until(f"{site} offline", lambda: not is_connected(data, site), within_s=30, watching=False)
    heard = world.watch.counts[site]
    world.processes.restart(site)
    world.until(f"{site} back", lambda: is_connected(data, site), within_s=world.patience(30))
    world.until(f"telemetry of {site}", lambda: world.watch.counts[site] >= heard + 2, within_s=world.patience(30))
    if iot.list_thing_principals(thingName=site)["principals"] != before:
        raise StepFailed(f"{site} enrolled again instead of using its identity")
    if world.watch.latest[site]["release"] != 2:
        raise StepFailed(f"{site} came back with release {world.watch.latest[site]['release']}")
    return f"{site} was killed, seen offline, and came back by itself as it was"


STEPS: Final[tuple[Step, ...]] = (
    ("Start a cloud", start),
    ("Set up the fleet through boto3", set_up),
    ("Start edges that hold only the claim", enrol),
    ("Start the radios", radios),
    ("Make rules for telemetry and faults", rules),
    ("Deploy the radio monitor", deploy),
    ("Receive and store telemetry", telemetry),
    ("Raise and clear one fault", faults),
    ("Show it in the console", console),
    ("Update to version 2", update),
    ("Kill an edge and let it recover", recover),
)
