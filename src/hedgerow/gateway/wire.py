"""Messages and commands as bytes, for buses between processes and for the journal: one CBOR array each."""

from collections.abc import Sequence
from typing import Any

import cbor2

from hedgerow.core.iotlog import Level, LogRules, TargetType
from hedgerow.core.mqtt.records import SessionSaved
from hedgerow.gateway.journal import StoredSession
from hedgerow.gateway.ports import Command, Cut, Message, Regrant


def encode_message(message: Message) -> bytes:
    parts = [
        message.account,
        message.topic,
        message.payload,
        message.qos,
        message.retain,
        message.properties,
        message.expires_at,
        message.client_id,
        message.principal,
    ]
    return cbor2.dumps([*parts, message.trace] if message.trace else parts)


def decode_message(wire: bytes) -> Message:
    account, topic, payload, qos, retain, properties, expires_at, client_id, principal, *trace = cbor2.loads(wire)
    return Message(
        account=account,
        topic=topic,
        payload=payload,
        qos=qos,
        retain=retain,
        properties=properties,
        expires_at=expires_at,
        client_id=client_id,
        principal=principal,
        trace=trace[0] if trace else "",
    )


def encode_command(command: Command) -> bytes:
    if isinstance(command, Regrant):
        return cbor2.dumps(["regrant", command.account, sorted(command.principals), _rules(command.logging)])
    return cbor2.dumps(
        [
            "cut",
            command.account,
            command.principal,
            command.client_id,
            command.reason,
            command.clean_session,
            command.prevent_will,
            command.before_epoch,
            command.domain,
        ]
    )


def decode_command(wire: bytes) -> Command:
    kind, account, *rest = cbor2.loads(wire)
    if kind == "regrant":
        return Regrant(account=account, principals=frozenset(rest[0]), logging=_maybe_rules(rest[1]))
    return _cut(account, rest)


def _rules(rules: LogRules | None) -> list[Any] | None:
    if rules is None:
        return None
    targets = [[kind.value, name, int(level)] for (kind, name), level in rules.targets.items()]
    return [int(rules.default), rules.disabled, {name: int(level) for name, level in rules.events.items()}, targets]


def _maybe_rules(wire: list[Any] | None) -> LogRules | None:
    if wire is None:
        return None
    default, disabled, events, targets = wire
    return LogRules(
        default=Level(default),
        disabled=disabled,
        events={name: Level(level) for name, level in events.items()},
        targets={(TargetType(kind), name): Level(level) for kind, name, level in targets},
    )


def _cut(account: str, rest: list[Any]) -> Cut:
    principal, client_id, reason, clean_session, prevent_will, before_epoch, domain = rest
    return Cut(
        account=account,
        principal=principal,
        client_id=client_id,
        reason=reason,
        clean_session=clean_session,
        prevent_will=prevent_will,
        before_epoch=before_epoch,
        domain=domain,
    )


def encode_session(session: StoredSession) -> bytes:
    return cbor2.dumps(
        [
            session.version,
            session.persistent,
            session.connected,
            session.expiry_s,
            session.expires_at,
            [list(one) for one in session.subscriptions],
            None if session.will is None else encode_message(session.will),
            session.will_delay_s,
            session.principal,
            session.session_id,
            session.thing,
            session.keep_alive_s,
            session.ended_at,
            session.reason,
        ]
    )


def decode_session(saved: SessionSaved) -> StoredSession:
    version, persistent, connected, expiry_s, expires_at, subscriptions, will, *rest = cbor2.loads(saved.body)
    will_delay_s, principal, session_id, thing, *rest = rest
    keep_alive_s, ended_at, reason = rest or (0, None, "")
    return StoredSession(
        account=saved.account,
        client_id=saved.client_id,
        epoch=saved.epoch,
        version=version,
        persistent=persistent,
        connected=connected,
        expiry_s=expiry_s,
        expires_at=expires_at,
        subscriptions=tuple((text, options) for text, options in subscriptions),
        will=None if will is None else decode_message(will),
        will_delay_s=will_delay_s,
        principal=principal,
        session_id=session_id,
        thing=thing,
        keep_alive_s=keep_alive_s,
        ended_at=ended_at,
        reason=reason,
    )


def encode_changes(changes: Sequence[tuple[str, int | None]]) -> bytes:
    """Of subscriptions: filter and options, None when it was taken back."""
    return cbor2.dumps([list(one) for one in changes])


def decode_changes(body: bytes) -> list[tuple[str, int | None]]:
    return [(text, options) for text, options in cbor2.loads(body)]


def encode_retained(message: Message, at: float) -> bytes:
    return cbor2.dumps([encode_message(message), at])


def decode_retained(body: bytes) -> tuple[Message, float]:
    message, at = cbor2.loads(body)
    return decode_message(message), at
