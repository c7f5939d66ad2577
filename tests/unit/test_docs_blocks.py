"""The Python blocks of the pages that people read are run, so that they stay true.

A block after the comment `<!-- runs with hedgerow_cloud -->` finds a fresh account of a running cloud in that name; a
block that defines tests with that fixture has them called.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from _pytest.mark import ParameterSet

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*/*.md")]
BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^>]*) -->\n)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "runs with hedgerow_cloud"
TEST = "(hedgerow_cloud):"  # a block that is a test of the reader's own is called as one


def blocks() -> Iterator[ParameterSet]:
    for page in sorted(page for page in PAGES if page.exists()):
        text = page.read_text("utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("code")) + 1
            name = f"{page.relative_to(ROOT)}:{line}"
            code = compile("\n" * (line - 1) + match["code"], name, "exec")
            with_cloud = match["mark"] == MARK or TEST in match["code"]
            yield pytest.param(code, with_cloud, id=name, marks=pytest.mark.slow if with_cloud else ())


@pytest.mark.parametrize(("code", "with_cloud"), list(blocks()))
def test_a_block_runs(code: CodeType, with_cloud: bool, request: pytest.FixtureRequest) -> None:
    cloud = request.getfixturevalue("hedgerow_cloud") if with_cloud else None
    names: dict[str, Any] = {"__name__": "docs", "hedgerow_cloud": cloud}

    exec(code, names)
    for test in [each for name, each in names.items() if name.startswith("test_")]:
        test(cloud)


def test_both_kinds_of_blocks_are_told_apart() -> None:
    text = "<!-- runs with hedgerow_cloud -->\n```python\na\n```\nwords\n```python\nb\n```\n```sh\nc\n```\n"

    assert [(match["mark"], match["code"]) for match in BLOCK.finditer(text)] == [(MARK, "a\n"), (None, "b\n")]
