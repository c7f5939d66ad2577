"""A cloud as one signed-in person sees it: boto3 calls that answer the console's values.

Every call blocks: the watch runs them on its own few threads. Failures come out as the errors of `errors.py`.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hedgerow.console.errors import CloudUnreachable, NotThere, Refused, SessionOver
from hedgerow.console.model import Certificate, Component, Core, Credentials, Deployment

MAX_THINGS: Final = 10_000
MAX_RULES: Final = 200
MAX_GROUPS: Final = 200
MAX_LOG_EVENTS: Final = 10_000
QUERIES_A_CALL: Final = 500
_MISSING: Final = ("ResourceNotFoundException", "NotFoundException", "NoSuchEntity", "404")
_OVER: Final = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")


class Cloud:
    """Where the cloud is. Makes boto3 clients, for a person or for nobody."""

    def __init__(self, *, api_url: str, region: str, ca_file: str | None, models: Path | None) -> None:
        self.api_url = api_url.rstrip("/")
        self.region = region
        self.ca_file = ca_file
        self._models = models
        self._anonymous: Any = None
        self._lock = threading.Lock()

    def session(self, credentials: Credentials | None) -> Any:
        """Answer a boto3 session that knows the service `hedgerow`."""
        import boto3.session
        import botocore.session

        core = botocore.session.Session()
        if self._models is not None:
            core.get_component("data_loader").search_paths.append(str(self._models))
        if credentials is None:
            return boto3.session.Session(botocore_session=core, region_name=self.region)
        return boto3.session.Session(
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            region_name=self.region,
            botocore_session=core,
        )

    def client(self, session: Any, service: str, *, signed: bool = True) -> Any:
        """Answer a client with deadlines."""
        from botocore import UNSIGNED
        from botocore.config import Config

        config = Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=4,
            **({} if signed else {"signature_version": UNSIGNED}),
        )
        verify = self.ca_file if self.api_url.startswith("https:") else None
        return session.client(service, endpoint_url=self.api_url, verify=verify, config=config)

    def redeem(self, token: str) -> Credentials:
        """Trade a sign-in token for credentials; raises NotThere when it is not valid any more."""
        with self._lock:
            if self._anonymous is None:
                self._anonymous = self.client(self.session(None), "hedgerow", signed=False)
        answer = _called(self._anonymous.redeem_console_sign_in, self.api_url, token=token)
        return Credentials(
            account=answer["accountId"],
            principal=answer.get("principal", ""),
            access_key_id=answer["accessKeyId"],
            secret_access_key=answer["secretAccessKey"],
            session_token=answer["sessionToken"],
            expires_at=_seconds(answer["expiresAt"]) or 0.0,
        )


class Api:
    """The calls of one signed-in person. May be used from several threads at once."""

    def __init__(self, cloud: Cloud, credentials: Credentials) -> None:
        self._cloud = cloud
        self._credentials = credentials
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def things(self) -> tuple[list[tuple[str, str, dict[str, str]]], bool]:
        """Answer name, type and attributes of the things, and whether those were all."""
        found: list[tuple[str, str, dict[str, str]]] = []
        for thing in self._pages("iot", "list_things", "things", maxResults=250):
            if len(found) == MAX_THINGS:
                return found, False
            found.append((thing["thingName"], thing.get("thingTypeName", ""), dict(thing.get("attributes", {}))))
        return found, True

    def groups(self) -> tuple[dict[str, list[str]], bool]:
        """Answer the groups of each thing, and whether all groups were read."""
        members: dict[str, list[str]] = {}
        names = [each["groupName"] for each in self._pages("iot", "list_thing_groups", "thingGroups", maxResults=250)]
        for name in sorted(names)[:MAX_GROUPS]:
            for thing in self._pages(
                "iot", "list_things_in_thing_group", "things", thingGroupName=name, maxResults=250
            ):
                members.setdefault(thing, []).append(name)
        return members, len(names) <= MAX_GROUPS

    def connection(self, thing: str) -> tuple[bool, float | None]:
        """Answer whether the client of a thing's name is connected, and since when it is as it is."""
        try:
            answer = self._call("iot-data", "get_connection", clientId=thing)
        except NotThere:
            return False, None
        connected = bool(answer.get("connected"))
        return connected, _seconds(answer.get("connectedSince" if connected else "disconnectedSince"))

    def cores(self) -> dict[str, tuple[str, float]]:
        """Answer health and time of the last report of each core device."""
        pages = self._pages("greengrassv2", "list_core_devices", "coreDevices", maxResults=100)
        return {
            each["coreDeviceThingName"]: (each["status"], _seconds(each["lastStatusUpdateTimestamp"]) or 0.0)
            for each in pages
        }

    def components(self, thing: str) -> tuple[Component, ...]:
        """Answer the components that a core device reported."""
        pages = self._pages(
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
            answer = self._call("greengrassv2", "get_core_device", coreDeviceThingName=thing)
        except NotThere:
            return None
        platform = " ".join(answer[name] for name in ("platform", "architecture") if answer.get(name))
        return Core(
            status=answer.get("status", ""),
            version=answer.get("coreVersion", ""),
            platform=platform,
            reported_at=_seconds(answer.get("lastStatusUpdateTimestamp")),
        )

    def deployments(self, thing: str) -> tuple[Deployment, ...]:
        """Answer the deployments that apply to a core device, newest first."""
        pages = self._pages(
            "greengrassv2", "list_effective_deployments", "effectiveDeployments", coreDeviceThingName=thing
        )
        found = [
            Deployment(
                name=each.get("deploymentName") or each["deploymentId"],
                id=each["deploymentId"],
                status=each["coreDeviceExecutionStatus"],
                reason=each.get("reason", ""),
                changed_at=_seconds(each.get("modifiedTimestamp")),
            )
            for each in pages
        ]
        return tuple(sorted(found, key=lambda one: -(one.changed_at or 0.0)))

    def principals(self, thing: str) -> tuple[str, ...]:
        """Answer the ARNs of what a thing may identify itself with."""
        return tuple(self._pages("iot", "list_thing_principals", "principals", thingName=thing))

    def certificate(self, identifier: str) -> Certificate:
        """Answer a certificate."""
        told = self._call("iot", "describe_certificate", certificateId=identifier)["certificateDescription"]
        validity = told.get("validity", {})
        return Certificate(
            id=identifier,
            status=told["status"],
            created_at=_seconds(told.get("creationDate")),
            not_before=_seconds(validity.get("notBefore")),
            not_after=_seconds(validity.get("notAfter")),
        )

    def rules(self) -> tuple[list[Mapping[str, Any]], bool]:
        """Answer the topic rules, and whether those were all."""
        names = [each["ruleName"] for each in self._pages("iot", "list_topic_rules", "rules", maxResults=250)]
        found = []
        for name in names[:MAX_RULES]:
            try:
                found.append(self._call("iot", "get_topic_rule", ruleName=name)["rule"])
            except NotThere:
                continue  # deleted meanwhile
        return found, len(names) <= MAX_RULES

    def faults_shadow(self, thing: str) -> Mapping[str, Any]:
        """Answer the thing's named shadow `faults`, {} when it has none."""
        try:
            answer = self._call("iot-data", "get_thing_shadow", thingName=thing, shadowName="faults")
        except NotThere:
            return {}
        content: Mapping[str, Any] = json.loads(answer["payload"].read())
        return content

    def log_events(self, group: str, *, since: float) -> list[tuple[float, str]]:
        """Answer time and text of a log's events that may be about faults, oldest first; [] when there is no log."""
        try:
            pages = self._pages(
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
            pages = self._pages(
                "cloudwatch", "get_metric_data", "MetricDataResults",
                MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending",
            )  # fmt: skip
            for result in pages:
                points = zip(result["Timestamps"], result["Values"], strict=True)
                known = found.setdefault(part[int(result["Id"][1:])], [])
                known += [(_seconds(at) or 0.0, float(value)) for at, value in points]
        return {key: points[-1:] if newest else points for key, points in found.items()}

    def _client(self, service: str) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._cloud.session(self._credentials)
            if service not in self._clients:
                self._clients[service] = self._cloud.client(self._session, service)
            return self._clients[service]

    def _call(self, service: str, operation: str, **given: Any) -> Any:
        return _called(getattr(self._client(service), operation), self._cloud.api_url, **given)

    def _pages(self, service: str, operation: str, member: str, **given: Any) -> Iterator[Any]:
        token = next(
            (name for name in ("nextToken", "NextToken") if _answers(self._client(service), operation, name)), ""
        )
        while True:
            answer = self._call(service, operation, **given)
            yield from answer.get(member, ())
            if not token or not answer.get(token):
                return
            given[token] = answer[token]


def _answers(client: Any, operation: str, member: str) -> bool:
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    return member in model.output_shape.members


def _called(method: Any, api_url: str, **given: Any) -> Any:
    from botocore import exceptions

    try:
        return method(**given)
    except exceptions.ClientError as error:
        code, words = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", str(error))
        if code in _MISSING:
            raise NotThere(words) from error
        if code in _OVER:
            raise SessionOver(words) from error
        raise Refused(words or code) from error
    except exceptions.SSLError as error:
        raise CloudUnreachable(f"The cloud's API at {api_url} shows no certificate that is trusted here.") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise CloudUnreachable(f"The cloud's API at {api_url} cannot be reached.") from error
    except exceptions.BotoCoreError as error:
        raise Refused(str(error)) from error


def _seconds(at: Any) -> float | None:
    if isinstance(at, datetime):
        return at.timestamp()
    if not isinstance(at, int | float):
        return None
    return at / 1000 if at > 1e11 else float(at)  # some operations tell milliseconds
