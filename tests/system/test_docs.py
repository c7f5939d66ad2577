"""The generated pages are as they would be written now."""

import asyncio

import pytest

from hedgerow.cli import docs


@pytest.mark.slow
def test_the_coverage_table_is_not_stale() -> None:
    text = docs.coverage(asyncio.run(docs.answered()))

    assert (docs.ROOT / docs.COVERAGE).read_text("utf-8") == text, "run make docs"
