"""The condition keys of tags."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.api.tag_conditions import of_request, of_resource


@pytest.mark.parametrize(
    "params",
    [
        {"tags": [{"Key": "team", "Value": "ops"}, {"Key": "bare"}]},
        {"Tags": [{"Key": "team", "Value": "ops"}, {"Key": "bare"}]},
        {"Tags": {"team": "ops", "bare": ""}},
        {"tags": "team=ops&bare="},
    ],
)
def test_tags_of_a_request_are_keys_of_their_own(params: dict[str, Any]) -> None:
    assert of_request(params) == {
        "aws:RequestTag/team": "ops",
        "aws:RequestTag/bare": "",
        "aws:TagKeys": ("team", "bare"),
    }


@pytest.mark.parametrize("member", ["tagKeys", "TagKeys"])
def test_what_is_taken_off_counts_among_the_keys(member: str) -> None:
    assert of_request({member: ["team"]}) == {"aws:TagKeys": ("team",)}


@pytest.mark.parametrize("params", [{}, {"tags": []}, {"tags": None}, {"tags": [3], "tagKeys": 4}])
def test_no_tags_give_no_keys(params: dict[str, Any]) -> None:
    assert of_request(params) == {}


def test_a_resource_of_iam_has_them_under_two_names() -> None:
    assert of_resource("arn:aws:iam::123456789012:user/ann", {"a": "1"}) == {
        "aws:ResourceTag/a": "1",
        "iam:ResourceTag/a": "1",
    }
    assert of_resource("arn:aws:iot:eu-central-1:123456789012:job/j", {"a": "1"}) == {"aws:ResourceTag/a": "1"}


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_nothing_that_is_sent_breaks_it(tags: Any) -> None:
    found = of_request({"tags": tags, "TagKeys": tags})

    assert all(key.startswith(("aws:RequestTag/", "aws:TagKeys")) for key in found)
