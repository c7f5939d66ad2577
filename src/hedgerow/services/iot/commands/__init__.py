"""Commands: one thing to do for one device, sent at once and followed until the device has answered."""

from hedgerow.services.iot.commands.execution_operations import ExecutionOperations
from hedgerow.services.iot.commands.follow_ups import CommandFollowUps
from hedgerow.services.iot.commands.operations import CommandOperations
from hedgerow.services.iot.commands.store import CommandStore, ExecutionStore
from hedgerow.services.iot.commands.topics import CommandTopics

__all__ = [
    "CommandFollowUps",
    "CommandOperations",
    "CommandStore",
    "CommandTopics",
    "ExecutionOperations",
    "ExecutionStore",
]
