"""A function's versions: what they are, what they are called, when two are the same.

Spec: Lambda API 2015-03-31; bounds of the developer guide where the model has none.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from hedgerow.core.arn import arn, parse
from hedgerow.core.caller import Caller
from hedgerow.services.lambda_.functions.errors import FunctionNotFound, InvalidParameter

LATEST: Final = "$LATEST"
EXECUTABLE: Final = "arn:aws:greengrass:::runtime/function/executable"  # in no enum, accepted by AWS for V1 groups
MAX_EVENT: Final = 6 * 1024 * 1024 + 100  # bytes
MAX_QUEUED_EVENT: Final = 256 * 1024  # bytes
MAX_ENVIRONMENT: Final = 4096  # bytes, all names and values
MAX_ZIP: Final = 50 * 1024 * 1024  # bytes, in a request
RESERVED: Final = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_QUALIFIER: Final = re.compile(r"\$LATEST|[a-zA-Z0-9_-]{1,128}")
_VARIABLE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class Named:
    """Which function of the caller's account, and which of its versions or aliases ("" when none was named)."""

    account: str
    region: str
    name: str
    qualifier: str = ""

    @property
    def arn(self) -> str:
        suffix = f":{self.qualifier}" if self.qualifier else ""
        return arn("lambda", self.region, self.account, f"function:{self.name}{suffix}")


def read_name(text: str, account: str, region: str, qualifier: str | None = None) -> Named:
    """Read any form of a function's name: plain, with qualifier, `account:function:name`, or an ARN.

    Raises InvalidParameter for another form or contradicting qualifiers, FunctionNotFound for another account's.
    """
    parsed = parse(text)
    if parsed is not None:
        if parsed.service != "lambda" or not parsed.resource.startswith("function:"):
            raise InvalidParameter(f"{text} is not the ARN of a function")
        if parsed.account != account or parsed.region != region:
            raise FunctionNotFound(text)  # nothing of another account is shown, not even that it is there
        parts = parsed.resource.split(":")[1:]
    else:
        parts = text.split(":")
        if len(parts) > 2 and parts[1] == "function":
            if parts[0] != account:
                raise FunctionNotFound(text)
            parts = parts[2:]
        elif len(parts) > 1 and parts[0] == "function":
            parts = parts[1:]
    name, inner = parts[0], ":".join(parts[1:])
    if not _NAME.fullmatch(name) or (inner and not _QUALIFIER.fullmatch(inner)):
        raise InvalidParameter(f"{text!r} is not the name of a function")
    if inner and qualifier and inner != qualifier:
        raise InvalidParameter("The derived qualifier from the function name does not match the specified qualifier.")
    return Named(account, region, name, inner or qualifier or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be configured. Two versions with equal settings and code are the same version."""

    runtime: str
    role: str
    handler: str
    description: str = ""
    timeout_s: int = 3
    memory_mb: int = 128
    environment: Mapping[str, str] | None = None
    architectures: tuple[str, ...] = ("x86_64",)
    log_group: str = ""

    def with_changes(self, changes: Mapping[str, Any]) -> "Settings":
        """Answer these settings with some changed; raises InvalidParameter for values that do not fit."""
        changed = replace(self, **changes)
        changed.check()
        return changed

    def check(self) -> None:
        """Raise InvalidParameter for what the model's own validation lets pass."""
        variables = self.environment or {}
        for name in variables:
            if name in RESERVED:
                raise InvalidParameter(
                    "Lambda was unable to configure your environment variables because the environment variables you "
                    "have provided contains reserved keys that are currently not supported for modification. Reserved "
                    f"keys used in this request: {name}"
                )
            if not _VARIABLE.fullmatch(name):
                raise InvalidParameter(f"{name!r} is not the name of an environment variable")
        size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
        if size > MAX_ENVIRONMENT:
            raise InvalidParameter(
                f"Lambda was unable to configure your environment variables because the environment variables you have "
                f"provided exceeded the 4KB limit: {size} bytes"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A deployment package: the blob that it is kept in and what its callers are told about it."""

    digest: str  # SHA-256, hex: the blob's name
    size: int

    @property
    def sha256(self) -> str:
        """The digest as AWS writes it: base64."""
        return base64.b64encode(bytes.fromhex(self.digest)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a function, `$LATEST` included."""

    account: str
    region: str
    name: str
    version: str
    settings: Settings
    code: Code
    modified_at: float
    revision: str
    tags: Mapping[str, str] = field(default_factory=dict)  # of the function

    @property
    def function_arn(self) -> str:
        return arn("lambda", self.region, self.account, f"function:{self.name}")

    @property
    def arn(self) -> str:
        """The qualified ARN."""
        return f"{self.function_arn}:{self.version}"

    @property
    def number(self) -> int:
        return 0 if self.version == LATEST else int(self.version)

    def same_as(self, other: "Version") -> bool:
        """Tell whether publishing one after the other makes no new version."""
        mine, theirs = replace(self.settings, description=""), replace(other.settings, description="")
        return mine == theirs and self.code == other.code

    def configuration(self, *, qualified: bool, hint: str = "") -> dict[str, Any]:
        """Answer the FunctionConfiguration. `hint` says what stands in the way of running it on this host."""
        settings = self.settings
        answer: dict[str, Any] = {
            "FunctionName": self.name,
            "FunctionArn": self.arn if qualified else self.function_arn,
            "Runtime": settings.runtime,
            "Role": settings.role,
            "Handler": settings.handler,
            "CodeSize": self.code.size,
            "Description": settings.description,
            "Timeout": settings.timeout_s,
            "MemorySize": settings.memory_mb,
            "LastModified": modified_text(self.modified_at),
            "CodeSha256": self.code.sha256,
            "Version": self.version,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.revision,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": list(settings.architectures),
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": settings.log_group or f"/aws/lambda/{self.name}"},
        }
        if settings.environment is not None:
            answer["Environment"] = {"Variables": dict(settings.environment)}
        if hint:
            answer["StateReason"] = hint
        return answer


def modified_text(at: float) -> str:
    """Answer a time as `LastModified` has it: milliseconds and `+0000`, not `Z`."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def named_by(caller: Caller, text: str, qualifier: str | None = None) -> Named:
    """Read a function's name in the caller's account and region."""
    return read_name(text, caller.account, caller.region, qualifier)
