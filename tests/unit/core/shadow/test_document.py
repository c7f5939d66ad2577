import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.shadow import (
    Shadow,
    ShadowError,
    Update,
    accepted,
    delta,
    maybe_token,
    texts_of,
    token_of,
    update_of,
    updated,
)

KEYS = st.sampled_from(["a", "b", "c"])
LEAVES = st.booleans() | st.integers(-2, 2) | st.text("xy", max_size=2) | st.lists(st.integers(0, 1), max_size=2)
PATCHES = st.dictionaries(
    KEYS, st.recursive(LEAVES | st.none(), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)
)


UPDATES = st.lists(
    st.dictionaries(st.sampled_from(["desired", "reported"]), PATCHES | st.none(), max_size=2), max_size=5
)


def after(*patches: dict[str, Any], now: int = 100) -> Shadow:
    shadow = Shadow()
    for patch in patches:
        shadow = updated(shadow, Update(state=patch), now=now)
    return shadow


def naive(target: Any, patch: Any) -> Any:
    """RFC 7396, but a nested {} removes."""
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None or value == {}:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = naive(result.get(key), value)
            if below or isinstance(result.get(key), dict):
                result[key] = below
            else:
                result.pop(key, None)
        else:
            result[key] = value
    return result


def leaves(value: Any) -> Any:
    """The shape of a document without its values."""
    if isinstance(value, dict):
        return {key: leaves(item) for key, item in value.items()}
    return [leaves(item) for item in value] if isinstance(value, list) else {"timestamp": 100}


@given(PATCHES, PATCHES)
def test_updates_merge_as_the_naive_merge_does(first: dict[str, Any], second: dict[str, Any]) -> None:
    shadow = after({"reported": first}, {"reported": second})

    assert shadow.state.get("reported", {}) == naive(naive({}, first), second)


@given(PATCHES, PATCHES)
def test_metadata_has_the_shape_of_the_state(first: dict[str, Any], second: dict[str, Any]) -> None:
    shadow = after({"desired": first}, {"desired": second})

    assert shadow.metadata == {name: leaves(section) for name, section in shadow.state.items()}


def filled(value: Any) -> Any:
    """The document without empty objects, which count as missing."""
    if not isinstance(value, dict):
        return value
    return {key: filled(item) for key, item in value.items() if filled(item) != {}}


@given(UPDATES)
def test_the_delta_applied_to_what_is_reported_gives_what_is_desired(updates: list[dict[str, Any]]) -> None:
    shadow = after(*updates)
    values, times = delta(shadow)

    reporting = updated(shadow, Update(state={"reported": values}), now=1)
    desired, reported = (filled(reporting.state.get(section, {})) for section in ("desired", "reported"))

    assert delta(reporting) == ({}, {})
    assert naive(reported, desired) == reported
    assert times == leaves(values)


@given(UPDATES)
def test_any_sequence_of_updates_gives_what_its_replay_from_disk_gives(updates: list[dict[str, Any]]) -> None:
    shadow, replayed = after(*updates), Shadow()

    for number, update in enumerate(updates):
        kept = json.loads(json.dumps([replayed.state, replayed.metadata, replayed.version]))
        request = update_of(json.dumps({"state": update, "version": number}).encode())
        replayed = updated(Shadow(state=kept[0], metadata=kept[1], version=kept[2]), request, now=100)

    assert replayed == shadow
    assert shadow.version == len(updates)


@given(UPDATES)
def test_what_was_accepted_is_all_that_is_needed_to_follow_a_shadow(updates: list[dict[str, Any]]) -> None:
    shadow = follower = Shadow()
    for update in updates:
        shadow = updated(shadow, Update(state=update), now=100)
        message = accepted(Update(state=update), shadow, now=100)
        follower = updated(follower, Update(state=message["state"]), now=message["timestamp"])

    assert follower == shadow


def test_an_object_that_was_emptied_is_not_missing_for_ever() -> None:
    shadow = after({"desired": {"a": {"b": {"c": 1}}}}, {"desired": {"a": {"b": {"c": None}}}})

    assert (shadow.state, delta(shadow)) == ({"desired": {"a": {"b": {}}}}, ({}, {}))


def test_versions_count_up_even_when_nothing_changes() -> None:
    assert after({}, {"desired": {}}, {"reported": None}).version == 3


def test_null_removes_a_section_and_a_null_state_removes_both() -> None:
    shadow = after({"desired": {"a": 1}, "reported": {"b": 2}})

    assert updated(shadow, Update(state={"desired": None}), now=1).state == {"reported": {"b": 2}}
    assert updated(shadow, Update(state=None), now=1) == Shadow(version=2)


def test_only_named_leaves_get_a_new_timestamp() -> None:
    shadow = after({"reported": {"a": 1, "b": [1, {"c": 2}]}}, now=100)

    changed = updated(shadow, Update(state={"reported": {"a": 1}}), now=200)

    assert changed.metadata == {
        "reported": {"a": {"timestamp": 200}, "b": [{"timestamp": 100}, {"c": {"timestamp": 100}}]}
    }


@pytest.mark.parametrize(
    ("desired", "reported", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": 1}, {"a": True}, {"a": 1}),
        ({"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 2]}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": 5}, {"a": {"b": 1}}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": [1]}}, {"a": {"b": {"c": 1}}}),
        ({}, {"z": 1}, {}),
    ],
)
def test_the_delta_is_what_is_desired_and_not_reported(
    desired: dict[str, Any], reported: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert delta(after({"desired": desired, "reported": reported}))[0] == expected


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        (b"{", 400, "Invalid JSON"),
        (b"[]", 400, "Invalid JSON"),
        (b'{"state":{"desired":{"a":NaN}}}', 400, "Invalid JSON"),
        (b'{"state":{"desired":{"a":1e999}}}', 400, "Invalid JSON"),
        (b'{"state":{"desired":{"a":"\\ud800"}}}', 400, "Invalid JSON"),
        (b"\xff", 415, "UTF-8"),
        (b"{}", 400, "Missing required node: state"),
        (b'{"state":1}', 400, "State node must be an object"),
        (b'{"state":{"desired":1}}', 400, "Desired node must be an object"),
        (b'{"state":{"reported":[]}}', 400, "Reported node must be an object"),
        (b'{"state":{"other":{}}}', 400, "State contains an invalid node"),
        (b'{"state":{"desired":{"a":[1,null]}}}', 400, "invalid node"),
        (b'{"state":{},"version":"1"}', 400, "Invalid version"),
        (b'{"state":{},"version":true}', 400, "Invalid version"),
        (b'{"state":{},"clientToken":1}', 400, "Invalid clientToken"),
        (b'{"state":{},"clientToken":"' + b"x" * 65 + b'"}', 400, "Invalid clientToken"),
        (b'{"state":{"desired":' + b'{"a":' * 7 + b"1" + b"}" * 7 + b"}}", 400, "levels of nesting"),
        (b'{"state":{"desired":' + b'{"a":' * 5000 + b"1" + b"}" * 5002, 400, "levels of nesting"),
    ],
)
def test_a_faulty_update_is_refused_in_awss_words(payload: bytes, code: int, words: str) -> None:
    with pytest.raises(ShadowError, match=words) as caught:
        update_of(payload)

    assert caught.value.code == code


def test_six_levels_below_and_with_the_section_are_allowed() -> None:
    update = update_of(b'{"state":{"desired":' + b'{"a":' * 6 + b"1" + b"}" * 6 + b"}}")

    assert update.state is not None


def test_the_delta_section_of_a_request_is_passed_over() -> None:
    assert update_of(b'{"state":{"delta":{"x":1},"desired":{"a":1}}}').state == {"desired": {"a": 1}}


def test_get_and_delete_may_come_empty_or_with_a_token() -> None:
    assert token_of(b"") is None
    assert token_of(b'{"clientToken":"t"}') == "t"
    assert maybe_token(b"{") is None


def test_the_size_is_that_of_the_state_alone() -> None:
    assert texts_of(after({"desired": {"a": "é"}})).size == len('{"desired":{"a":"é"}}'.encode())


@given(st.binary(max_size=40))
def test_any_bytes_are_an_update_or_refused(payload: bytes) -> None:
    try:
        update = update_of(payload)
    except ShadowError:
        return
    assert updated(Shadow(), update, now=1).version == 1
