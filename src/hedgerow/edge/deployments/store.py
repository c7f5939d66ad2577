"""What the engine keeps on disk: deployments, generations, and reports that the cloud has not taken yet.

The functions take a Connection inside `State.write` or `State.read`: each call of these is one transaction.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hedgerow.edge.components.model import Generation
from hedgerow.edge.deployments.failure import Result
from hedgerow.edge.state import recall, remember

_KEPT = 32  # ended deployments that are remembered, so that a repeated message is known


class Phase(Enum):
    """Where a deployment is. The rows of one that has ended stay, to know it again."""

    QUEUED = "QUEUED"  # also while it is prepared: preparing again does no harm
    SWITCHING = "SWITCHING"  # its generation is complete on disk and may be running
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment that came from the cloud."""

    seq: int
    key: str
    source: Mapping[str, Any]
    document: Mapping[str, Any]
    phase: Phase
    body: Mapping[str, Any]


def offer(connection: sqlite3.Connection, key: str, source: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Keep a new deployment; False when it is known already."""
    cursor = connection.execute(
        "INSERT OR IGNORE INTO deployment(key, source, document, phase, body) VALUES (?, ?, ?, 'QUEUED', '{}')",
        (key, json.dumps(source), json.dumps(document)),
    )
    return cursor.rowcount == 1


def next_one(connection: sqlite3.Connection) -> Deployment | None:
    """Answer the oldest deployment that has not ended."""
    row = connection.execute(
        "SELECT seq, key, source, document, phase, body FROM deployment WHERE phase != 'ENDED' ORDER BY seq LIMIT 1"
    ).fetchone()
    return None if row is None else _deployment(row)


def find(connection: sqlite3.Connection, key: str) -> Deployment | None:
    """Answer the deployment with this key."""
    row = connection.execute(
        "SELECT seq, key, source, document, phase, body FROM deployment WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else _deployment(row)


def last_of(connection: sqlite3.Connection, kind: str) -> Deployment | None:
    """Answer the newest deployment of one kind of source."""
    rows = connection.execute("SELECT seq, key, source, document, phase, body FROM deployment ORDER BY seq DESC")
    return next((one for one in map(_deployment, rows) if one.source["kind"] == kind), None)


def begin_switch(connection: sqlite3.Connection, deployment: Deployment, candidate: Generation) -> Generation:
    """Write the candidate and the intent to switch to it in one; answer it with its number."""
    cursor = connection.execute("INSERT INTO generation(body) VALUES (?)", (json.dumps(candidate.as_values()),))
    number = cursor.lastrowid or 0
    _set(connection, deployment.seq, Phase.SWITCHING, {"candidate": number, "tries": 1})
    return Generation(number=number, components=candidate.components, groups=candidate.groups)


def count_try(connection: sqlite3.Connection, deployment: Deployment) -> int:
    """Count that the switch is tried once more; answer how often that makes."""
    tries = int(deployment.body.get("tries", 0)) + 1
    _set(connection, deployment.seq, Phase.SWITCHING, {**deployment.body, "tries": tries})
    return tries


def end(
    connection: sqlite3.Connection,
    deployment: Deployment,
    result: Result,
    *,
    active: int | None = None,
) -> None:
    """End a deployment: the active generation, the result and the report about it in one."""
    if active is not None:
        previous = recall(connection, "active generation")
        remember(connection, "active generation", active)
        connection.execute("DELETE FROM generation WHERE number NOT IN (?, ?)", (active, previous or 0))
    _set(connection, deployment.seq, Phase.ENDED, {**deployment.body, "result": result.as_values()})
    report(connection, deployment, result)
    connection.execute(
        "DELETE FROM deployment WHERE phase = 'ENDED' AND seq NOT IN "
        "(SELECT seq FROM deployment WHERE phase = 'ENDED' ORDER BY seq DESC LIMIT ?)",
        (_KEPT,),
    )


def report(connection: sqlite3.Connection, deployment: Deployment, result: Result) -> None:
    """Have a status told to the cloud: in order, until it is taken."""
    body = {"source": dict(deployment.source), "result": result.as_values()}
    connection.execute("INSERT INTO outbox(key, body) VALUES (?, ?)", (deployment.key, json.dumps(body)))


def next_report(connection: sqlite3.Connection) -> tuple[int, dict[str, Any]] | None:
    """Answer the oldest report that is still to be told."""
    row = connection.execute("SELECT seq, body FROM outbox ORDER BY seq LIMIT 1").fetchone()
    return None if row is None else (row[0], json.loads(row[1]))


def told(connection: sqlite3.Connection, seq: int) -> None:
    """The cloud has taken this report."""
    connection.execute("DELETE FROM outbox WHERE seq = ?", (seq,))


def generation(connection: sqlite3.Connection, number: int | None) -> Generation:
    """Answer a generation; the empty one when there is none of this number."""
    row = connection.execute("SELECT body FROM generation WHERE number = ?", (number or 0,)).fetchone()
    return Generation() if row is None else Generation.of(number or 0, json.loads(row[0]))


def active(connection: sqlite3.Connection) -> Generation:
    """Answer the generation that this core runs by right."""
    return generation(connection, recall(connection, "active generation"))


def _set(connection: sqlite3.Connection, seq: int, phase: Phase, body: Mapping[str, Any]) -> None:
    connection.execute(
        "UPDATE deployment SET phase = ?, body = ? WHERE seq = ?", (phase.value, json.dumps(dict(body)), seq)
    )


def _deployment(row: tuple[Any, ...]) -> Deployment:
    seq, key, source, document, phase, body = row
    return Deployment(
        seq=seq,
        key=key,
        source=json.loads(source),
        document=json.loads(document),
        phase=Phase(phase),
        body=json.loads(body),
    )
