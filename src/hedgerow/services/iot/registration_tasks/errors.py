"""What can be wrong with a request about registration tasks."""

from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound


class TaskNotFound(ResourceNotFound):
    """The account has no task of that id."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"Task {task_id} does not exist")


class NoTask(InvalidRequest):
    """The same, where the service model knows no ResourceNotFoundException."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"Task {task_id} does not exist")


class TaskRunning(InvalidRequest):
    """One task at a time."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"Task {task_id} is still running: there can be one registration task at a time")


class NotToBeRead(InvalidRequest):
    """The input file is not there, or may not be read; the message says why."""


class RoleUnusable(InvalidRequest):
    """The role is none of this account, or does not trust AWS IoT."""
