"""What a function is to those who run it, what an invocation answers, and what a log line is. No I/O.

Leaves to others: where the code comes from (`packages`), what the function may do (the caller's credentials).
Spec: the Lambda Runtime API; the Greengrass life cycles "pinned" (long-lived) and "on demand".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from hedgerow.functions.view import View

MAX_PAYLOAD = 6 * 1024 * 1024 + 100  # bytes, of an event and of a result; AWS's own figure
MAX_ASYNC_PAYLOAD = 256 * 1024  # bytes, of an event that is queued
LOG_TAIL = 4096  # bytes of log that an invocation answers
MAX_LOG_LINE = 256 * 1024  # bytes; a longer line is cut into several


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """One version of a function, ready to be run on this host.

    `arn` names it; two specs with the same ARN and different content are an old and a new one: running instances of the
    old one finish their work and are replaced.
    """

    arn: str
    name: str
    version: str
    code: Path  # the unpacked package; never written to
    handler: str
    runtime: str  # `python3.11`, `nodejs20.x`, `provided.al2023` …
    region: str
    working_folder: Path  # for what an instance writes: its TMPDIR and HOME are made in it and removed with it
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 3.0
    memory_mb: int = 128
    log_group: str = ""  # default `/aws/lambda/<name>`
    log_stream: str = ""  # default: one for each instance, `YYYY/MM/DD/[version]<hex>`
    input_type: str = "json"  # "json", or "binary": a Python handler then gets the raw bytes
    pinned: bool = False  # long-lived: started by `Pool.keep`, one instance, never shut down for being idle
    max_instances: int = 10
    max_idle_s: float = 300.0
    view: View | None = None  # what it sees of the file system, in place of what its driver shows to all
    system_packages: bool = False  # Python: may it import what is installed on this host (drivers of a board)?

    @property
    def group(self) -> str:
        return self.log_group or f"/aws/lambda/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an invocation answered.

    With `error` set ("Unhandled"), `payload` is the JSON error body that a caller of Lambda gets, and `error_type` its
    errorType ("ValueError", "Runtime.ExitError", "Sandbox.Timedout" …).
    """

    payload: bytes
    request_id: str
    error: str | None = None
    error_type: str = ""
    content_type: str = "application/json"
    log_tail: bytes = b""
    duration_s: float = 0.0
    init_s: float | None = None  # of the instance's start, when this invocation waited for it
    max_memory_mb: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line that an instance wrote to its output, or that the host wrote about it (START, END, REPORT)."""

    at: float  # seconds since the epoch
    group: str
    stream: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an instance gets beyond its own environment: credentials and where to use them.

    After `expires_at` (seconds since the epoch) the instance takes no more work and is replaced.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    expires_at: float | None = None


class State(Enum):
    """How a kept (pinned) function is."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    ERRORED = "ERRORED"  # it ended or could not start; it is tried again after a pause
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionState:
    """A state with its cause in words ("" when all is well), and since when."""

    arn: str
    state: State
    cause: str = ""
    restarts: int = 0
    since: float = 0.0
