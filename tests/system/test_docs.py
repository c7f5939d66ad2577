"""The generated pages are as they would be written now, and what they are made from finds no mistakes of ours."""

import asyncio

import pytest

from hedgerow.cli import docs
from hedgerow.cli.members import Members

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def members() -> Members:
    return asyncio.run(docs.tried())


def test_the_coverage_table_is_not_stale(members: Members) -> None:
    text = docs.coverage(members)

    assert (docs.ROOT / docs.COVERAGE).read_text("utf-8") == text, "run make docs"


def test_no_operation_fails_at_a_member_that_it_was_sent_or_not_sent(members: Members) -> None:
    assert members.crashes == ()
