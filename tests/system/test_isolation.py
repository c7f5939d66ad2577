"""Accounts share nothing: the same thing name, topic, client id and retained message twice, and every table's key."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import Table

import hedgerow.cloud.build  # noqa: F401  # all tables of the cloud
from hedgerow.services.cloudwatch.metrics import TELEMETRY
from hedgerow.store import metadata
from hedgerow.testing import CloudProcess, TestCloud
from tests.support.mqtt import connected
from tests.support.waiting import until

NAME = "radio"
TOPIC = f"devices/{NAME}/state"

EXEMPT = {
    "follow_up": "the dispatcher works them off for all accounts in the order of seq; account and key are columns",
    "hedgerow_account": "it is the table of the accounts: its key is the account's number",
    "iot_certificate_offer": "it stands between two accounts: its key begins with the one that offers (source)",
}
"""Tables whose key does not begin with the account, each with the reason."""


@pytest.fixture
def two(hedgerow_process: CloudProcess, tmp_path: Path) -> tuple[TestCloud, TestCloud]:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, other = (hedgerow_process.new_account(folder) for folder in folders)
    return one, other


def tables() -> list[Table]:
    return [*metadata.tables.values(), *TELEMETRY.metadata.tables.values()]


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_the_key_of_every_table_begins_with_the_account(table: Table) -> None:
    key = [column.name for column in table.primary_key.columns]

    assert key[:1] == ["account"] or table.name in EXEMPT


def test_no_exempt_table_is_gone_or_has_its_key_by_now() -> None:
    named = {table.name: table for table in tables()}

    assert EXEMPT.keys() <= named.keys()
    assert not [name for name in EXEMPT if next(iter(named[name].primary_key.columns)).name == "account"]


@pytest.mark.slow
def test_the_key_of_every_table_of_the_journal_begins_with_the_account(hedgerow_process: CloudProcess) -> None:
    with closing(sqlite3.connect(f"file:{hedgerow_process.data / 'journal.db'}?mode=ro", uri=True)) as journal:
        names = [name for (name,) in journal.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        first = {name: first_of_key(journal, name) for name in names}

    assert first == dict.fromkeys(("session", "change", "queued", "in_flight", "retained"), "account")


def first_of_key(journal: sqlite3.Connection, table: str) -> str:
    """Answer the first column of the primary key; of a table without, which keeps an order, that of its only index."""
    columns = journal.execute(f"PRAGMA table_info({table})").fetchall()
    key = [str(name) for _, name, _, _, _, place in columns if place == 1]
    if not key:
        ((_, index, *_),) = journal.execute(f"PRAGMA index_list({table})")
        key = [str(name) for place, _, name in journal.execute(f"PRAGMA index_info({index})") if place == 0]
    return key[0]


@pytest.mark.slow
@pytest.mark.spec("AL-08")
def test_devices_of_two_accounts_with_the_same_names_do_not_meet(two: tuple[TestCloud, TestCloud]) -> None:
    one, other = two
    with connected(one.device(NAME)) as here, connected(other.device(NAME)) as there:
        here.subscribe(TOPIC)
        there.subscribe(TOPIC)
        here.publish(TOPIC, "from one")
        there.publish(TOPIC, "from other")
        here.publish(TOPIC, "one again")
        heard = here.payloads(2), there.payloads(1)
        until("both connected", lambda: client_ids(one) and client_ids(other))

    assert heard == ([b"from one", b"one again"], [b"from other"])
    assert (here.ended[:-1], there.ended[:-1]) == ([], [])  # nobody was taken over: each ended by its own wish


def client_ids(cloud: TestCloud) -> bool:
    return bool(cloud.client("iot-data").get_connection(clientId=NAME)["connected"])


@pytest.mark.slow
@pytest.mark.spec("AL-08")
def test_a_retained_message_is_seen_in_its_account_alone(two: tuple[TestCloud, TestCloud]) -> None:
    one, other = two
    with connected(one.device(NAME)) as here:
        here.publish(TOPIC, "kept", retain=True)
    mine = one.client("iot-data").get_retained_message(topic=TOPIC)["payload"]

    with connected(other.device(NAME)) as there:
        there.subscribe(TOPIC)
        there.publish(TOPIC, "mine")
        heard = there.payloads(1)

    assert (mine, heard) == (b"kept", [b"mine"])
    assert other.client("iot-data").list_retained_messages()["retainedTopics"] == []


@pytest.mark.slow
@pytest.mark.spec("AL-08")
def test_a_waiting_session_belongs_to_its_account(two: tuple[TestCloud, TestCloud]) -> None:
    one, other = two
    mine, theirs = one.device(NAME), other.device(NAME)
    with connected(mine, clean=False) as here:
        here.subscribe(TOPIC)

    with connected(theirs, clean=False) as there:
        assert not there.session_present
        there.publish(TOPIC, "not for one")
    with connected(mine, clean=False) as here:
        present = here.session_present
        here.publish(TOPIC, "for one")
        heard = here.payloads(1)

    assert (present, heard) == (True, [b"for one"])


@pytest.mark.slow
@pytest.mark.spec("AL-08")
def test_the_api_of_one_account_does_not_see_the_other(two: tuple[TestCloud, TestCloud]) -> None:
    one, other = two
    one.client("iot").create_thing(thingName=NAME, attributePayload={"attributes": {"owner": "one"}})
    other.client("iot").create_thing(thingName=NAME, attributePayload={"attributes": {"owner": "other"}})
    state = json.dumps({"state": {"reported": {"owner": "one"}}})
    one.client("iot-data").update_thing_shadow(thingName=NAME, payload=state)

    owners = [cloud.client("iot").describe_thing(thingName=NAME)["attributes"]["owner"] for cloud in two]
    with pytest.raises(ClientError) as refused:
        other.client("iot-data").get_thing_shadow(thingName=NAME)

    assert owners == ["one", "other"]
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.slow
def test_an_arn_of_another_account_is_refused(two: tuple[TestCloud, TestCloud]) -> None:
    one, other = two
    stranger = one.device(NAME)
    other.client("iot").create_thing(thingName=NAME)

    with pytest.raises(ClientError) as refused:
        other.client("iot").attach_thing_principal(thingName=NAME, principal=stranger.certificate_arn)

    assert 400 <= refused.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    assert other.client("iot").list_thing_principals(thingName=NAME)["principals"] == []
