"""Which service and operation a request calls: by signature scope, by `X-Amz-Target`, by form, by path.

The models are asked for by name at first use (`load`, given: core reads no files).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hedgerow.core.wire.errors import UnknownOperation, WireError
from hedgerow.core.wire.inputs import Call, form_pairs
from hedgerow.core.wire.messages import HttpRequest
from hedgerow.core.wire.model import Raw, ServiceModel
from hedgerow.core.wire.routes import Routes

# The names that signatures carry, and the services that may be meant. Path decides between several.
# The IoT ones are interchangeable in old SDKs [iot-core-connect 1.3]; 2017's SDKs sign IoT calls as execute-api.
SIGNING_NAMES: Mapping[str, tuple[str, ...]] = {
    "iot": ("iot", "iot-data", "iot-jobs-data"),
    "iotdata": ("iot-data", "iot-jobs-data", "iot"),
    "iotdevicegateway": ("iot-data", "iot-jobs-data", "iot"),
    "iot-jobs-data": ("iot-jobs-data", "iot-data"),
    "execute-api": ("iot", "iot-data", "iot-jobs-data"),
    "greengrass": ("greengrassv2", "greengrass", "hedgerow-device"),
    "lambda": ("lambda",),
    "s3": ("s3",),
    "logs": ("logs",),
    "monitoring": ("cloudwatch",),
    "cloudwatch": ("cloudwatch",),
    "iam": ("iam",),
    "sts": ("sts",),
    "sns": ("sns",),
    "sqs": ("sqs",),
    "dynamodb": ("dynamodb",),
    "kinesis": ("kinesis",),
    "firehose": ("firehose",),
    "events": ("events",),
    "secretsmanager": ("secretsmanager",),
    "kms": ("kms",),
    "states": ("stepfunctions",),
    "timestream": ("timestream-write", "timestream-query"),
    "es": ("opensearch", "es"),
    "ecr": ("ecr",),
    "cognito-identity": ("cognito-identity",),
    "iotsitewise": ("iotsitewise",),
    "cloudformation": ("cloudformation",),
    "IoTSecuredTunneling": ("iotsecuretunneling",),
    "hedgerow": ("hedgerow",),
}
# what a device may call with its certificate instead of a signature, in the order in which paths are tried
DEVICE_SERVICES = ("hedgerow-device", "iot-data", "iot-jobs-data", "greengrassv2")
DEVICE_OPERATIONS: Mapping[str, frozenset[str] | None] = {
    "hedgerow-device": None,
    "iot-data": None,
    "iot-jobs-data": frozenset(  # all but StartCommandExecution, which is for people
        {
            "DescribeJobExecution",
            "GetPendingJobExecutions",
            "StartNextPendingJobExecution",
            "UpdateJobExecution",
        }
    ),
    "greengrassv2": frozenset(
        {"ResolveComponentCandidates", "GetComponentVersionArtifact", "GetConnectivityInfo", "UpdateConnectivityInfo"}
    ),
}
CUSTOM_SERVICES = ("iot-data",)  # for whose requests custom authorizers may speak
# services with operations that nobody has to sign (`authtype: none`)
_ANONYMOUS_SERVICES = ("hedgerow", "hedgerow-device", "sts", "cognito-identity")
_METHODS = ("GET", "POST", "DELETE")
_RPC = {"json", "query", "smithy-rpc-v2-cbor"}


class Catalogue:
    """The services by name, loaded when first used."""

    def __init__(self, load: Callable[[str], Raw | None]) -> None:
        self._load = load
        self._models: dict[str, ServiceModel | None] = {}
        self._routes: dict[str, Routes] = {}

    def model(self, name: str) -> ServiceModel | None:
        """Answer a service's model, None when there is none of that name."""
        if name not in self._models:
            raw = self._load(name)
            self._models[name] = None if raw is None else ServiceModel(name, raw)
        return self._models[name]

    def signed(self, http: HttpRequest, signing_name: str) -> Call:
        """Answer what a signed request calls; raise UnknownOperation."""
        services = SIGNING_NAMES.get(signing_name)
        if services is None:
            raise UnknownOperation(f"There is no service with the signing name '{signing_name}' here.")
        if signing_name == "greengrass" and http.path.startswith("/tags/") and "greengrass%2f" in http.path.lower():
            services = ("greengrass",)  # V1's ARNs hold a path; both services tag under /tags
        return self._found(http, services)

    def device(self, http: HttpRequest) -> Call:
        """Answer what a request with a client certificate calls; raise UnknownOperation or WireError."""
        try:
            call = self._found(http, DEVICE_SERVICES)
        except UnknownOperation as error:
            if any(self.custom(replace(http, method=method)) for method in _METHODS):
                words = f"{http.method} is not a method of {http.path[:200]}."
                raise WireError("MethodNotAllowedException", words, status=405) from error
            raise
        allowed = DEVICE_OPERATIONS[call.service]
        if allowed is not None and call.operation.name not in allowed:
            raise UnknownOperation(f"{call.operation.name} cannot be called with a certificate; sign the request.")
        return call

    def custom(self, http: HttpRequest) -> Call | None:
        """Answer what a request calls for which a custom authorizer may speak, None when it is no such call."""
        try:
            return self._found(http, CUSTOM_SERVICES)
        except UnknownOperation:
            return None

    def anonymous(self, http: HttpRequest) -> Call | None:
        """Answer what a request without any credentials calls, None unless that operation allows it."""
        try:
            call = self._found(http, _ANONYMOUS_SERVICES)
        except UnknownOperation:
            return None
        return call if call.operation.anonymous else None

    def guess(self, http: HttpRequest, signing_name: str | None) -> tuple[ServiceModel | None, str]:
        """Answer the model and protocol in which to refuse a request that calls nothing."""
        services = SIGNING_NAMES.get(signing_name or "")
        model = self.model(services[0]) if services else None
        if model is not None and not _RPC.intersection(model.protocols):
            return model, model.protocols[0]
        if http.headers.get("x-amz-target"):
            return model, "json"
        if http.headers.get("smithy-protocol"):
            return model, "cbor"
        form = http.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        if form or (model is not None and "query" in model.protocols):
            return model, "query"
        return model, "rest-json"

    def _found(self, http: HttpRequest, services: Sequence[str]) -> Call:
        for name in services:
            model = self.model(name)
            call = None if model is None else self._call(model, http)
            if call is not None:
                return call
        raise UnknownOperation(
            f"No operation of {' or '.join(services)} answers {http.method} {http.path[:200]}{operation_named(http)}."
        )

    def _call(self, model: ServiceModel, http: HttpRequest) -> Call | None:
        if not _RPC.intersection(model.protocols):
            return self._rest(model, http)
        name, protocol = _rpc_name(model, http)
        operation = model.operation(name) if name else None
        return None if operation is None else Call(model, operation, protocol)

    def _rest(self, model: ServiceModel, http: HttpRequest) -> Call | None:
        routes = self._routes.get(model.name)
        if routes is None:
            routes = self._routes[model.name] = Routes(model)
        found = routes.find(http)
        return None if found is None else Call(model, found[0], model.protocols[0], found[1])


def _rpc_name(model: ServiceModel, http: HttpRequest) -> tuple[str | None, str]:
    target = http.headers.get("x-amz-target")
    if target is not None and model.target_prefix:
        prefix, _, name = target.rpartition(".")
        return (name if prefix == model.target_prefix else None), "json"
    if http.headers.get("smithy-protocol") == "rpc-v2-cbor":
        parts = http.path.split("/")
        named = len(parts) == 5 and parts[1] == "service" and parts[3] == "operation"
        return (parts[4] if named and parts[2] == model.target_prefix else None), "cbor"
    if "query" in model.protocols:
        return _action(http), "query"
    return None, "json"


def _action(http: HttpRequest) -> str | None:
    """Answer the `Action` of a query or form; bytes that are no UTF-8 are refused when the form is read."""
    pairs = [*http.pairs, *form_pairs(http, errors="replace")]
    return next((value for name, value in pairs if name == "Action"), None)


def operation_named(http: HttpRequest) -> str:
    """Answer which operation a request names by itself, for a refusal: ` with the target …`, "" when it names none."""
    target = http.headers.get("x-amz-target")
    if target is not None:
        return f" with the target {target[:100]}"
    action = _action(http)
    return f" with the action {action[:100]}" if action else ""
