"""Our own Runtime API client for Python, for hosts on which AWS's `awslambdaric` is not there. Started by its path.

Imports nothing but the standard library and stays with what Python 3.8 knows: it runs in the function's interpreter,
which may be older than ours and must not see Hedgerow. Argument: the handler. What it sends is what awslambdaric
sends.
"""

from __future__ import annotations

import decimal
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterable, Mapping  # noqa: TC003  # cheap, and simpler than a block
from typing import Any

BASE = "/2018-06-01/runtime"


class ClientContext:
    class Client:
        """The part `client` of the context."""

        def __init__(self, values: dict[str, Any]) -> None:
            for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
                setattr(self, name, values.get(name))

    def __init__(self, values: dict[str, Any]) -> None:
        self.custom = values.get("custom")
        self.env = values.get("env")
        self.client = self.Client(values["client"]) if values.get("client") else None


class Identity:
    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    def __init__(self, headers: Mapping[str, str], client_context: ClientContext | None) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn")
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.client_context = client_context
        self.identity = Identity()
        self.tenant_id = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))  # noqa: TID251  # not part of Hedgerow's process

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))


class Fault(Exception):
    def __init__(self, kind: str, message: str, stack: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.stack = list(stack)


class RequestIdFilter(logging.Filter):
    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.request_id
        return True


def to_json(value: Any) -> str:
    def other(item: Any) -> float:
        if isinstance(item, decimal.Decimal):
            return float(item)
        raise TypeError(f"Object of type {type(item).__name__} is not JSON serializable")

    return json.dumps(value, default=other)


def frames(error: BaseException, skip: int) -> list[str]:
    return traceback.format_list(traceback.extract_tb(error.__traceback__)[skip:])


def load(handler: str) -> Any:
    module_name, dot, name = handler.rpartition(".")
    if not dot or not module_name:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack")
    try:
        if module_name.split("/")[0] in sys.builtin_module_names:
            raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler")
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        line = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise Fault(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", [line]
        ) from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        text = f"Handler '{name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", text) from error


class Api:
    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address)

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[Any, bytes]:
        sys.stdout.flush()  # what the function wrote comes before its answer
        self._connection.request(method, BASE + path, body, headers or {})
        response = self._connection.getresponse()
        content = response.read()
        if response.status not in (200, 202):
            raise SystemExit(f"the Runtime API answered {response.status} to {path}: {content[:500]!r}")
        return response.headers, content

    def fail(self, path: str, request_id: str, error: BaseException, skip: int = 0) -> None:
        kind, stack = type(error).__name__, frames(error, skip)
        if isinstance(error, Fault):
            kind, stack = error.kind, error.stack
        body = {"errorMessage": str(error), "errorType": kind, "requestId": request_id, "stackTrace": stack}
        lines = [f"[ERROR] {kind}: {error}", "Traceback (most recent call last):"] + [s.rstrip("\n") for s in stack]
        sys.stdout.write("\r".join(line.replace("\n", "\r") for line in lines) + "\n")
        headers = {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": kind}
        self.call("POST", path, to_json(body).encode(), headers)


def serve_one(api: Api, handler: Any, note: RequestIdFilter) -> None:
    headers, payload = api.call("GET", "/invocation/next")
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    note.request_id = request_id
    try:
        raw = headers.get("Lambda-Runtime-Client-Context")
        context = Context(headers, ClientContext(json.loads(raw)) if raw else None)
        event = payload
        if headers.get("Content-Type") == "application/json":
            try:
                event = json.loads(payload)
            except ValueError as error:
                raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error
        result = handler(event, context)
        if isinstance(result, bytes):
            body, kind = result, "application/unknown"
        else:
            try:
                body, kind = to_json(result).encode(), "application/json"
            except (TypeError, ValueError) as error:
                raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
    except Exception as error:  # noqa: BLE001  # whatever the function raises is its answer
        api.fail(f"/invocation/{request_id}/error", request_id, error, skip=1)
        return
    api.call("POST", f"/invocation/{request_id}/response", body, {"Content-Type": kind})


def prepare_logging() -> RequestIdFilter:
    note = RequestIdFilter()
    out = logging.StreamHandler(sys.stdout)
    out.addFilter(note)
    layout = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    formatter = logging.Formatter(layout, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    out.setFormatter(formatter)
    logging.getLogger().addHandler(out)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "")
    if level in ("DEBUG", "INFO", "WARN", "ERROR"):
        logging.getLogger().setLevel(getattr(logging, level.replace("WARN", "WARNING")))
    return note


def main(argv: list[str]) -> None:
    sys.path[0] = os.getcwd()  # not the folder of this file
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # they are text files here
    api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
    note = prepare_logging()
    try:
        handler = load(argv[1])
    except BaseException as error:  # noqa: BLE001  # also a SystemExit while importing: the host is told why
        fault = (
            error if isinstance(error, Exception) else Fault("Runtime.ExitError", f"exited while importing: {error}")
        )
        api.fail("/init/error", "", fault, skip=3)
        sys.exit(1)
    while True:
        serve_one(api, handler, note)


if __name__ == "__main__":
    main(sys.argv)
