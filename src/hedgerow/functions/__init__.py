"""Running a function: packages, drivers, the Lambda Runtime API, pools. Serves cloud and edge."""

from hedgerow.functions.account import user_and_group
from hedgerow.functions.environment import RESERVED
from hedgerow.functions.errors import InvalidEntrypoint, PackageRefused, RuntimeNotHere, Stopped, TooBusy
from hedgerow.functions.folders import make_passable
from hedgerow.functions.model import (
    MAX_ASYNC_PAYLOAD,
    MAX_PAYLOAD,
    FunctionSpec,
    FunctionState,
    Grant,
    LogLine,
    Outcome,
    State,
)
from hedgerow.functions.packages import Package, check, remove, unpack
from hedgerow.functions.pool import Kept, Pool
from hedgerow.functions.process import Driver, Process, ProcessDriver
from hedgerow.functions.runtimes import Runtimes
from hedgerow.functions.view import View, can_confine, system_view

__all__ = [
    "MAX_ASYNC_PAYLOAD",
    "MAX_PAYLOAD",
    "RESERVED",
    "Driver",
    "FunctionSpec",
    "FunctionState",
    "Grant",
    "InvalidEntrypoint",
    "Kept",
    "LogLine",
    "Outcome",
    "Package",
    "PackageRefused",
    "Pool",
    "Process",
    "ProcessDriver",
    "RuntimeNotHere",
    "Runtimes",
    "State",
    "Stopped",
    "TooBusy",
    "View",
    "can_confine",
    "check",
    "make_passable",
    "remove",
    "system_view",
    "unpack",
    "user_and_group",
]
