"""The operations on registration tasks that only look at rows: describe, list, stop.

Starting one and linking to its reports are flows (`flows.py`); the work is done by follow-ups.
Spec: AWS IoT DescribeThingRegistrationTask, ListThingRegistrationTasks, StopThingRegistrationTask.
"""

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.registration_tasks.errors import TaskNotFound
from hedgerow.services.iot.registration_tasks.model import Task
from hedgerow.services.iot.registration_tasks.store import RegistrationTaskStore
from hedgerow.store import Answer, Tx


class RegistrationTaskOperations:
    """The operations on registration tasks."""

    def __init__(self, *, tasks: RegistrationTaskStore, pages: Pages) -> None:
        self._tasks = tasks
        self._pages = pages

    def describe_thing_registration_task(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        task = self._get(tx, caller, request["taskId"])
        described = {
            "taskId": task.id,
            "creationDate": task.created_at,
            "lastModifiedDate": task.updated_at,
            "templateBody": task.body,
            "inputFileBucket": task.bucket,
            "inputFileKey": task.key,
            "roleArn": task.role_arn,
            "status": task.status.value,
            "successCount": task.succeeded,
            "failureCount": task.failed,
            "percentageProgress": task.percentage,
        }
        return Answer(described if task.failure is None else {**described, "message": task.failure})

    def list_thing_registration_tasks(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        status = request.get("status")
        page = self._pages.by_token(request, caller, "ListThingRegistrationTasks", status=status)
        found = self._tasks.list(tx, caller.account, status=status or "", after=page.position, limit=page.limit)
        return Answer(page.answer("taskIds", found, key=lambda t: (t.created_at, t.id), show=lambda t: t.id))

    def stop_thing_registration_task(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        task = self._get(tx, caller, request["taskId"])
        self._tasks.put(tx, caller.account, task.stopping(now=tx.now))
        return Answer({})

    def _get(self, tx: Tx, caller: Caller, task_id: str) -> Task:
        task = self._tasks.get(tx, caller.account, task_id)
        if task is None:
            raise TaskNotFound(task_id)
        return task
