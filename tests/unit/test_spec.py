"""The rows of the requirements, the tests that cite them, and the page that is made of both."""

from pathlib import Path

import pytest

from hedgerow.cli import spec_pages
from hedgerow.cli.spec_pages import ROOT, Malformed, Requirement

TABLE = """# A part

| id | what must hold | check | not there yet |
|---|---|---|---|
| JB-1 | it works | try `a \\| b` | - |
| JB-2 | it works too | try it | the second half |
"""

TESTS = """
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.spec("JB-1")]


@pytest.mark.spec("JB-2", "JB-3")
async def test_a():
    pass


class TestB:
    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.spec("JB-2"))])
    def test_c(self, x):
        pass


def test_d(spec):
    spec("JB-4")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "docs" / "part.md").write_text(TABLE)
    (tmp_path / "tests" / "test_it.py").write_text(TESTS)
    return tmp_path


def test_no_test_cites_an_id_that_no_row_has() -> None:
    rows, cited = spec_pages.requirements(ROOT / "docs" / "spec"), spec_pages.citations(ROOT / "tests")

    assert spec_pages.unknown(rows, cited) == []


def test_the_status_page_is_not_stale() -> None:
    rows, cited = spec_pages.requirements(ROOT / "docs" / "spec"), spec_pages.citations(ROOT / "tests")

    assert (ROOT / "docs" / "spec" / "status.md").read_text("utf-8") == spec_pages.page(rows, cited), "run make docs"


def test_rows_are_read_from_tables(project: Path) -> None:
    rows = spec_pages.requirements(project / "docs")

    assert rows == [
        Requirement(part="part", id="JB-1", must="it works", check="try `a \\| b`", missing=""),
        Requirement(part="part", id="JB-2", must="it works too", check="try it", missing="the second half"),
    ]


@pytest.mark.parametrize("line", ["| JB-1 | again | try | - |\n", "| JB-9 | a column is missing | - |\n"])
def test_an_id_twice_or_a_row_with_another_number_of_columns_is_refused(project: Path, line: str) -> None:
    (project / "docs" / "part.md").write_text(TABLE + line)

    with pytest.raises(Malformed, match=r"part\.md: "):
        spec_pages.requirements(project / "docs")


def test_citations_are_marks_of_modules_tests_and_parameters(project: Path) -> None:
    cited = spec_pages.citations(project / "tests")

    assert cited == {
        "JB-1": [("tests/test_it.py", "the whole file")],
        "JB-2": [("tests/test_it.py", "test_a"), ("tests/test_it.py", "test_c")],
        "JB-3": [("tests/test_it.py", "test_a")],
    }


def test_an_unknown_id_is_named_with_its_test(project: Path) -> None:
    strange = spec_pages.unknown(spec_pages.requirements(project / "docs"), spec_pages.citations(project / "tests"))

    assert strange == ["tests/test_it.py::test_a cites JB-3, which no row of docs/spec has"]


def test_the_page_names_what_is_partly_there_and_what_is_uncited(project: Path) -> None:
    rows = spec_pages.requirements(project / "docs")

    text = spec_pages.page(rows, {"JB-2": [("tests/test_it.py", "test_a")]})

    assert "2 rows: 0 whole and cited, 1 cited, 1 uncited." in text
    assert "- **JB-1** (whole): no test cites it" in text
    assert "- **JB-2** (partly)\n  - `tests/test_it.py`: test_a" in text
    assert text.endswith("## Uncited\n\nJB-1.\n")
