"""Functions, their versions and their invocation."""

from hedgerow.services.lambda_.functions.errors import (
    FunctionNotFound,
    InvalidParameter,
    NoSuchResource,
    NotRunnable,
    ServiceFailed,
    Throttled,
)
from hedgerow.services.lambda_.functions.flows import QUEUED, LambdaFlows
from hedgerow.services.lambda_.functions.model import Code, Named, Settings, Version
from hedgerow.services.lambda_.functions.operations import FunctionOperations
from hedgerow.services.lambda_.functions.ports import (
    Aliases,
    Blobs,
    Dependent,
    Invoked,
    Links,
    Objects,
    Permissions,
    Roles,
    Workers,
)
from hedgerow.services.lambda_.functions.reader import FunctionReader
from hedgerow.services.lambda_.functions.store import FunctionStore

__all__ = [
    "QUEUED",
    "Aliases",
    "Blobs",
    "Code",
    "Dependent",
    "FunctionNotFound",
    "FunctionOperations",
    "FunctionReader",
    "FunctionStore",
    "InvalidParameter",
    "Invoked",
    "LambdaFlows",
    "Links",
    "Named",
    "NoSuchResource",
    "NotRunnable",
    "Objects",
    "Permissions",
    "Roles",
    "ServiceFailed",
    "Settings",
    "Throttled",
    "Version",
    "Workers",
]
