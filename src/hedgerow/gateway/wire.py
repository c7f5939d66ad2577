"""Messages and commands as bytes, for buses between processes and for the journal: one CBOR array each."""

from typing import Any

import cbor2

from hedgerow.gateway.ports import Command, Cut, Message, Regrant


def encode_message(message: Message) -> bytes:
    return cbor2.dumps(
        [
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
    )


def decode_message(wire: bytes) -> Message:
    account, topic, payload, qos, retain, properties, expires_at, client_id, principal = cbor2.loads(wire)
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
    )


def encode_command(command: Command) -> bytes:
    if isinstance(command, Regrant):
        return cbor2.dumps(["regrant", command.account, sorted(command.principals)])
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
        ]
    )


def decode_command(wire: bytes) -> Command:
    kind, account, *rest = cbor2.loads(wire)
    if kind == "regrant":
        return Regrant(account=account, principals=frozenset(rest[0]))
    return _cut(account, rest)


def _cut(account: str, rest: list[Any]) -> Cut:
    principal, client_id, reason, clean_session, prevent_will, before_epoch = rest
    return Cut(
        account=account,
        principal=principal,
        client_id=client_id,
        reason=reason,
        clean_session=clean_session,
        prevent_will=prevent_will,
        before_epoch=before_epoch,
    )
