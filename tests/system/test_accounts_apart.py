"""Two accounts in one cloud: whatever one calls, by whatever names, it sees and changes nothing of the other's.

Every operation of the table is called by a second account, with names and ARNs of its own and with the first one's.
"""

import asyncio
import base64
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from hedgerow.api import OWN_MODELS, ModelFiles, Way, botocore_models
from hedgerow.api.operations import Flow, Operation
from hedgerow.base.errors import HedgerowError
from hedgerow.cli.members import Trial
from hedgerow.cloud.build import Cloud, build
from hedgerow.cloud.settings import CloudSettings
from hedgerow.core.caller import Caller
from hedgerow.core.request import MissingMember, Request
from hedgerow.core.wire import Catalogue, problems
from hedgerow.store import count_follow_ups

pytestmark = pytest.mark.slow
CATALOGUE = Catalogue(ModelFiles([OWN_MODELS, botocore_models()]))
# they wait for the world outside, or end what the cloud itself needs
LEFT_OUT = {("lambda", "Invoke"), ("iot", "ConfirmTopicRuleDestination")}
MOVING = {"follow_up"}  # what time does to the first account's own work
SETTLED_S = 30.0
OTHER = "210987654321"


class Answers:
    """What the second account was answered, by operation."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.before: dict[str, list[Any]] = {}
        self.after: dict[str, list[Any]] = {}
        self.account = ""
        self.succeeded = 0


def rows(database: Path, account: str) -> dict[str, list[Any]]:
    """Answer every row of an account, by table."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    found = {}
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [column[1] for column in connection.execute(f'PRAGMA table_info("{name}")')]
        if "account" in columns and name not in MOVING:
            own = connection.execute(f'SELECT * FROM "{name}" WHERE account = ?', (account,))
            found[name] = sorted(own.fetchall(), key=repr)
    connection.close()
    return found


async def called(cloud: Cloud, trial: Trial, key: tuple[str, str], caller: Caller) -> str | None:
    """Call an operation for good, and answer its answer as text; None when it was refused."""
    row = cloud.operations[key]
    model = CATALOGUE.model(key[0])
    operation = model.operation(key[1]) if model else None
    assert operation is not None
    params = trial.sample(*key)
    if problems(key[0], operation, params):
        return None
    request = Request(params)
    try:
        async with asyncio.timeout(5):
            if row.way is Way.FLOW:
                answer = await cast("Flow", row.method)(request, caller)
            elif row.way is Way.READ:
                answer = (await cloud.run.read(lambda tx: cast("Operation", row.method)(tx, request, caller))).response
            else:
                answer = (await cloud.run.write(lambda tx: cast("Operation", row.method)(tx, request, caller))).response
    except (HedgerowError, MissingMember, TimeoutError):
        return None
    return json.dumps(answer, default=repr)


async def settled(cloud: Cloud) -> None:
    """Wait until nothing is due: what was made is indexed a moment later, and that is no other account's doing."""
    async with asyncio.timeout(SETTLED_S):
        while (await cloud.run.read(lambda tx: count_follow_ups(tx, tx.now)))["due"]:
            await asyncio.sleep(0.01)


async def tried(folder: Path) -> Answers:
    settings = CloudSettings(
        data=folder / "data", bind="127.0.0.1", api_port=0, mqtt_port=0, https_port=0, console=False
    )
    answers = Answers()
    async with build(settings, {"HEDGEROW_MASTER_KEY": base64.b64encode(bytes(32)).decode()}) as cloud:
        first = Trial(cloud, CATALOGUE)
        await first.seed()
        made = cast("Operation", cloud.operations["hedgerow", "CreateAccount"].method)
        await cloud.run.write(lambda tx: made(tx, Request({"accountId": OTHER}), first.caller))
        second = Trial(cast("Cloud", _Seen(cloud, OTHER)), CATALOGUE)
        caller = replace(second.caller, access_key_id=None)
        answers.account = cloud.account
        await settled(cloud)
        answers.before = rows(folder / "data" / "hedgerow.db", cloud.account)
        for key in sorted(cloud.operations):
            if key in LEFT_OUT:
                continue
            for name, trial in (("own names", second), ("the other's names", first)):
                text = await called(cloud, trial, key, caller)
                if text is not None:
                    answers.succeeded += 1
                    if trial is second:
                        answers.texts[f"{key[0]}:{key[1]} with {name}"] = text
        answers.after = rows(folder / "data" / "hedgerow.db", cloud.account)
    return answers


class _Seen:
    """The cloud as the second account sees it."""

    def __init__(self, cloud: Cloud, account: str) -> None:
        self._cloud = cloud
        self.account = account

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cloud, name)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return asyncio.run(tried(tmp_path_factory.mktemp("cloud")))


def test_another_account_sees_nothing_of_ours(answers: Answers) -> None:
    assert answers.succeeded > 60  # it did get somewhere
    leaks = {call: text[:300] for call, text in answers.texts.items() if answers.account in text}
    assert leaks == {}


def test_another_account_changes_nothing_of_ours(answers: Answers) -> None:
    assert sum(map(len, answers.before.values())) > 30  # there is something to change
    changed = {name for name, own in answers.before.items() if own != answers.after[name]}
    assert changed == set()
