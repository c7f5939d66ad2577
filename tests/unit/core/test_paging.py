import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.paging import InvalidToken, Pager, scope_of
from hedgerow.core.request import Request

PAGER = Pager(b"k" * 32)


@given(st.text(), st.text())
def test_a_token_leads_back_to_its_position(scope: str, position: str) -> None:
    token = PAGER.token(scope, position)

    assert PAGER.position(scope, token) == position
    assert re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", token)  # what the iot model says of a marker


def test_no_token_is_no_position() -> None:
    assert PAGER.position("1/ListThings", None) is None


def test_a_token_of_another_account_is_refused() -> None:
    token = PAGER.token("111111111111/ListThings", "lamp")

    with pytest.raises(InvalidToken):
        PAGER.position("222222222222/ListThings", token)


def test_a_token_of_another_key_is_refused() -> None:
    token = Pager(b"x" * 32).token("1/ListThings", "lamp")

    with pytest.raises(InvalidToken):
        PAGER.position("1/ListThings", token)


@given(st.text(max_size=60))
def test_any_other_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(InvalidToken):
        PAGER.position("1/ListThings", text)


def test_a_scope_is_of_the_account_the_operation_and_the_parameters_but_not_of_the_page() -> None:
    whole = {"prefix": "a", "nested": {"b": [1]}, "nextToken": "t", "maxResults": 5}
    scope = scope_of("1", "List", Request(whole))

    assert scope == scope_of("1", "List", Request({**whole, "nextToken": "u", "maxResults": 6}))
    assert scope != scope_of("2", "List", Request(whole))
    assert scope != scope_of("1", "Other", Request(whole))
    assert scope != scope_of("1", "List", Request({**whole, "prefix": "b"}))


def test_making_a_scope_reads_no_member() -> None:
    request = Request({"prefix": "a"})

    scope_of("1", "List", request)

    assert request.unread() == ["prefix"]
