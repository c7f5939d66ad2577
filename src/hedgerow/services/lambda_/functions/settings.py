"""From a request to settings: the members that are honoured are read here, the others stay unread and so are refused.

A member that says nothing more than the default ("no VPC", "no tracing") is read too: tools send them always.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.core.request import Request
from hedgerow.services.lambda_.functions.errors import InvalidParameter
from hedgerow.services.lambda_.functions.model import EXECUTABLE, Settings

_RUNTIME: Final = re.compile(
    r"python[23]\.\d+|nodejs(\d+\.\w+)?|provided(\.al2(023)?)?|java\d+(\.al2)?|dotnet\w+(\.\d+)?|ruby\d\.\d+|go1\.x"
)
_EMPTY: Final[tuple[Any, ...]] = ({}, [], "", None)
_HARMLESS: Final[Mapping[str, tuple[Any, ...]]] = {
    "PackageType": ("Zip",),
    "TracingConfig": ({"Mode": "PassThrough"}, {}),
    "SnapStart": ({"ApplyOn": "None"}, {}),
    "EphemeralStorage": ({"Size": 512},),
    "DeadLetterConfig": ({}, {"TargetArn": ""}),
    "Layers": ([],),
    "FileSystemConfigs": ([],),
    "KMSKeyArn": ("",),
    "ImageConfig": ({},),
}


def read_settings(request: Request) -> dict[str, Any]:
    """Answer the settings that the request names, by the names of `Settings`."""
    accept_harmless(request)
    found: dict[str, Any] = {}
    for member, name in (
        ("Runtime", "runtime"),
        ("Role", "role"),
        ("Handler", "handler"),
        ("Description", "description"),
        ("Timeout", "timeout_s"),
        ("MemorySize", "memory_mb"),
    ):
        if request.get(member) is not None:
            found[name] = request[member]
    runtime = found.get("runtime")
    if runtime is not None and runtime != EXECUTABLE and not _RUNTIME.fullmatch(runtime):
        raise InvalidParameter(f"Value {runtime} at 'runtime' failed to satisfy constraint: no such runtime is known")
    if request.get("Environment") is not None:
        found["environment"] = dict(request["Environment"].take_all("Variables") or {})
    if request.get("Architectures"):
        found["architectures"] = tuple(request.take_all("Architectures"))
    logging = request.get("LoggingConfig")
    if logging is not None:
        if logging.peek("LogFormat") in ("Text", None):
            logging.get("LogFormat")
        if logging.get("LogGroup"):
            found["log_group"] = logging["LogGroup"]
    return found


def new_settings(request: Request) -> Settings:
    """Answer the settings of a new function; raise InvalidParameter when one is missing or does not fit."""
    found = read_settings(request)
    for member, name in (("Runtime", "runtime"), ("Handler", "handler"), ("Role", "role")):
        if not found.get(name):
            raise InvalidParameter(f"{member} is required for functions that are deployed as .zip archives")
    settings = Settings(**found)
    settings.check()
    return settings


def accept_harmless(request: Request) -> None:
    """Read the members that ask for nothing but the default."""
    for member, values in _HARMLESS.items():
        if member in request and request.peek(member) in values:
            request.take_all(member)
    network = request.peek("VpcConfig")
    if network is not None and all(value in (*_EMPTY, False) for value in network.values()):
        request.take_all("VpcConfig")
