"""The environment of an instance, built from nothing: no variable of our own process reaches a function.

Merge order, later wins: the function's own variables, what it may override on AWS only by surprise (PATH, LANG …),
credentials, what the runtime needs, what identifies the function.
Spec: Lambda developer guide, defined runtime environment variables.
"""

from collections.abc import Mapping
from typing import Final

from hedgerow.functions.model import FunctionSpec

RESERVED: Final = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
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
"""Names that a function's own variables may not have."""


def build(
    spec: FunctionSpec,
    *,
    api: str,
    stream: str,
    scratch: str,
    runtime: Mapping[str, str],
    granted: Mapping[str, str],
) -> dict[str, str]:
    """Answer the whole environment of one instance."""
    task = str(spec.code)
    return {
        **{name: value for name, value in spec.environment.items() if name not in RESERVED},
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LD_LIBRARY_PATH": f"{task}:{task}/lib",
        **granted,
        **runtime,
        "AWS_LAMBDA_RUNTIME_API": api,
        "_HANDLER": spec.handler,
        "LAMBDA_TASK_ROOT": task,
        "LAMBDA_RUNTIME_DIR": runtime.get("PYTHONPATH", task).partition(":")[0],
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
    }
