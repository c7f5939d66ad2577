"""Builds commands, and enters their rows."""

from hedgerow.base.ids import Ids
from hedgerow.base.steady import Steady
from hedgerow.cloud.operations import iot_commands as rows
from hedgerow.cloud.rows import Tables
from hedgerow.services.iot.commands import (
    CommandFollowUps,
    CommandOperations,
    CommandStore,
    CommandTopics,
    ExecutionOperations,
    ExecutionStore,
)
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.tags import TagStore
from hedgerow.services.iot.things import ThingStore


def build_commands(*, tables: Tables, ids: Ids, pages: Pages, things: ThingStore, steady: Steady) -> None:
    """Build it and enter its rows."""
    commands, executions = CommandStore(), ExecutionStore()
    operations = ExecutionOperations(
        commands=commands, store=executions, things=things, ids=ids, pages=pages, steady=steady
    )
    tables.serve("iot", rows.rows(commands=CommandOperations(store=commands, pages=pages), executions=operations))
    tables.serve("iot-jobs-data", rows.data_rows(executions=operations))
    tables.answer(rows.topic_rows(commands=CommandTopics(executions=executions)))
    later = CommandFollowUps(commands=commands, executions=executions, tags=TagStore(), steady=steady)
    tables.follow(rows.follow_up_rows(commands=later))
