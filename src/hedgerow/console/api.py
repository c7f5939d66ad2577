"""A cloud as one signed-in person sees it: boto3 calls that answer the console's values.

Every call blocks: the watch runs them on its own few threads. Failures come out as the errors of `errors.py`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hedgerow.console.calls import Calls, seconds
from hedgerow.console.errors import NotThere
from hedgerow.console.model import Certificate, Component, Core, Deployment

MAX_THINGS: Final = 10_000
MAX_RULES: Final = 200
MAX_GROUPS: Final = 200
MAX_LOG_EVENTS: Final = 10_000
QUERIES_A_CALL: Final = 500


class Api(Calls):
    """The calls of one signed-in person. May be used from several threads at once."""

    def things(self) -> tuple[list[tuple[str, str, dict[str, str]]], bool]:
        """Answer name, type and attributes of the things, and whether those were all."""
        found: list[tuple[str, str, dict[str, str]]] = []
        for thing in self.pages("iot", "list_things", "things", maxResults=250):
            if len(found) == MAX_THINGS:
                return found, False
            found.append((thing["thingName"], thing.get("thingTypeName", ""), dict(thing.get("attributes", {}))))
        return found, True

    def groups(self) -> tuple[dict[str, list[str]], bool]:
        """Answer the groups of each thing, and whether all groups were read."""
        members: dict[str, list[str]] = {}
        names = [each["groupName"] for each in self.pages("iot", "list_thing_groups", "thingGroups", maxResults=250)]
        for name in sorted(names)[:MAX_GROUPS]:
            for thing in self.pages("iot", "list_things_in_thing_group", "things", thingGroupName=name, maxResults=250):
                members.setdefault(thing, []).append(name)
        return members, len(names) <= MAX_GROUPS

    def connection(self, thing: str) -> tuple[bool, float | None]:
        """Answer whether the client of a thing's name is connected, and since when it is as it is."""
        try:
            answer = self.call("iot-data", "get_connection", clientId=thing)
        except NotThere:
            return False, None
        connected = bool(answer.get("connected"))
        return connected, seconds(answer.get("connectedSince" if connected else "disconnectedSince"))

    def cores(self) -> dict[str, tuple[str, float]]:
        """Answer health and time of the last report of each core device."""
        pages = self.pages("greengrassv2", "list_core_devices", "coreDevices", maxResults=100)
        return {
            each["coreDeviceThingName"]: (each["status"], seconds(each["lastStatusUpdateTimestamp"]) or 0.0)
            for each in pages
        }

    def components(self, thing: str) -> tuple[Component, ...]:
        """Answer the components that a core device reported."""
        pages = self.pages(
            "greengrassv2", "list_installed_components", "installedComponents", coreDeviceThingName=thing
        )
        return tuple(
            Component(
                name=each["componentName"],
                version=each["componentVersion"],
                state=each["lifecycleState"],
                details=each.get("lifecycleStateDetails", ""),
            )
            for each in pages
        )

    def core(self, thing: str) -> Core | None:
        """Answer what a core device says of itself, None when the thing is none."""
        try:
            answer = self.call("greengrassv2", "get_core_device", coreDeviceThingName=thing)
        except NotThere:
            return None
        platform = " ".join(answer[name] for name in ("platform", "architecture") if answer.get(name))
        return Core(
            status=answer.get("status", ""),
            version=answer.get("coreVersion", ""),
            platform=platform,
            reported_at=seconds(answer.get("lastStatusUpdateTimestamp")),
        )

    def deployments(self, thing: str) -> tuple[Deployment, ...]:
        """Answer the deployments that apply to a core device, newest first."""
        pages = self.pages(
            "greengrassv2", "list_effective_deployments", "effectiveDeployments", coreDeviceThingName=thing
        )
        found = [
            Deployment(
                name=each.get("deploymentName") or each["deploymentId"],
                id=each["deploymentId"],
                status=each["coreDeviceExecutionStatus"],
                reason=each.get("reason", ""),
                changed_at=seconds(each.get("modifiedTimestamp")),
            )
            for each in pages
        ]
        return tuple(sorted(found, key=lambda one: -(one.changed_at or 0.0)))

    def principals(self, thing: str) -> tuple[str, ...]:
        """Answer the ARNs of what a thing may identify itself with."""
        return tuple(self.pages("iot", "list_thing_principals", "principals", thingName=thing))

    def certificate(self, identifier: str) -> Certificate:
        """Answer a certificate."""
        told = self.call("iot", "describe_certificate", certificateId=identifier)["certificateDescription"]
        validity = told.get("validity", {})
        return Certificate(
            id=identifier,
            status=told["status"],
            created_at=seconds(told.get("creationDate")),
            not_before=seconds(validity.get("notBefore")),
            not_after=seconds(validity.get("notAfter")),
        )

    def rules(self) -> tuple[list[Mapping[str, Any]], bool]:
        """Answer the topic rules, and whether those were all."""
        names = [each["ruleName"] for each in self.pages("iot", "list_topic_rules", "rules", maxResults=250)]
        found = []
        for name in names[:MAX_RULES]:
            try:
                found.append(self.call("iot", "get_topic_rule", ruleName=name)["rule"])
            except NotThere:
                continue  # deleted meanwhile
        return found, len(names) <= MAX_RULES

    def faults_shadow(self, thing: str) -> Mapping[str, Any]:
        """Answer the thing's named shadow `faults`, {} when it has none."""
        try:
            answer = self.call("iot-data", "get_thing_shadow", thingName=thing, shadowName="faults")
        except NotThere:
            return {}
        content: Mapping[str, Any] = json.loads(answer["payload"].read())
        return content

    def log_events(self, group: str, *, since: float) -> list[tuple[float, str]]:
        """Answer time and text of a log's events that may be about faults, oldest first; [] when there is no log."""
        try:
            pages = self.pages(
                "logs",
                "filter_log_events",
                "events",
                logGroupName=group,
                startTime=int(since * 1000),
                filterPattern='"fault" "state"',
                limit=1000,
            )
            found = []
            for event in pages:
                found.append((event["timestamp"] / 1000, event["message"]))
                if len(found) == MAX_LOG_EVENTS:
                    break
        except NotThere:
            return []
        return found

    def metrics(
        self, wanted: Iterable[tuple[str, str]], *, start: float, end: float, period: int, newest: bool = False
    ) -> dict[tuple[str, str], list[tuple[float, float]]]:
        """Answer the points of metrics (namespace, name), oldest first; of `newest`, at most one each."""
        keys = list(wanted)
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for first in range(0, len(keys), QUERIES_A_CALL):
            part = keys[first : first + QUERIES_A_CALL]
            queries = [
                {
                    "Id": f"m{index}",
                    "MetricStat": {
                        "Metric": {"Namespace": namespace, "MetricName": name},
                        "Period": period,
                        "Stat": "Average",
                    },
                }
                for index, (namespace, name) in enumerate(part)
            ]
            pages = self.pages(
                "cloudwatch", "get_metric_data", "MetricDataResults",
                MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending",
            )  # fmt: skip
            for result in pages:
                points = zip(result["Timestamps"], result["Values"], strict=True)
                known = found.setdefault(part[int(result["Id"][1:])], [])
                known += [(seconds(at) or 0.0, float(value)) for at, value in points]
        return {key: points[-1:] if newest else points for key, points in found.items()}
