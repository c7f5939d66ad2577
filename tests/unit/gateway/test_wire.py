import cbor2
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.iotlog import Level, LogRules, TargetType
from hedgerow.core.mqtt.records import SessionSaved
from hedgerow.gateway.journal import StoredSession
from hedgerow.gateway.ports import Command, Cut, Message, Regrant
from hedgerow.gateway.wire import (
    decode_command,
    decode_message,
    decode_retained,
    decode_session,
    encode_command,
    encode_message,
    encode_retained,
    encode_session,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
times = st.none() | st.floats(0, 1e10)
messages = st.builds(
    Message,
    account=text,
    topic=text,
    payload=st.binary(max_size=20),
    qos=st.integers(0, 1),
    retain=st.booleans(),
    properties=st.binary(max_size=10),
    expires_at=times,
    client_id=text,
    principal=text,
    trace=text,
)
levels = st.sampled_from(Level)
rules = st.builds(
    LogRules,
    default=levels,
    disabled=st.booleans(),
    events=st.dictionaries(text, levels, max_size=2),
    targets=st.dictionaries(st.tuples(st.sampled_from(TargetType), text), levels, max_size=2),
)
commands = st.builds(
    Regrant, account=text, principals=st.frozensets(text, max_size=3), logging=st.none() | rules
) | st.builds(
    Cut,
    account=text,
    principal=st.none() | text,
    client_id=st.none() | text,
    domain=st.none() | text,
    reason=text,
    clean_session=st.booleans(),
    prevent_will=st.booleans(),
    before_epoch=st.none() | st.integers(0, 9),
)
sessions = st.builds(
    StoredSession,
    account=text,
    client_id=text,
    epoch=st.integers(0, 9),
    version=st.sampled_from((4, 5)),
    persistent=st.booleans(),
    connected=st.booleans(),
    expiry_s=st.integers(0, 9),
    expires_at=times,
    subscriptions=st.lists(st.tuples(text, st.integers(0, 63)), max_size=3).map(tuple),
    will=st.none() | messages,
    will_delay_s=st.integers(0, 9),
    principal=text,
    session_id=text,
    thing=text,
    keep_alive_s=st.integers(0, 9),
    ended_at=times,
    reason=text,
)


@given(messages)
def test_a_message_is_the_same_after_the_wire(message: Message) -> None:
    assert decode_message(encode_message(message)) == message


@given(commands)
def test_a_command_is_the_same_after_the_wire(command: Command) -> None:
    assert decode_command(encode_command(command)) == command


@given(sessions)
def test_a_session_is_the_same_after_the_journal(session: StoredSession) -> None:
    saved = SessionSaved(session.account, session.client_id, session.epoch, "g", encode_session(session))

    assert decode_session(saved) == session


@given(messages, st.floats(0, 1e10))
def test_a_retained_message_is_the_same_after_the_journal(message: Message, at: float) -> None:
    assert decode_retained(encode_retained(message, at)) == (message, at)


def test_a_session_that_was_kept_before_its_end_was_noted_is_read() -> None:
    body = cbor2.dumps([5, True, False, 60, 9.5, [["t", 1]], None, 0, "cert", "id", "thing"])

    session = decode_session(SessionSaved("a", "c", 7, "g", body))

    assert (session.thing, session.keep_alive_s, session.ended_at, session.reason) == ("thing", 0, None, "")
