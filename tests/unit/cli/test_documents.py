"""JSON as people type it."""

import io
from pathlib import Path

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.cli.documents import assembled, read
from hedgerow.cli.shadow import _state


def test_assignments_make_a_document() -> None:
    document = assembled(["lamp.on=true", "lamp.level=5", "name=red light", "gone=null", 'list=["a"]', "empty="])

    assert document == {
        "lamp": {"on": True, "level": 5},
        "name": "red light",
        "gone": None,
        "list": ["a"],
        "empty": "",
    }


def test_a_value_may_have_an_equals_sign() -> None:
    assert assembled(["a=b=c"]) == {"a": "b=c"}


@pytest.mark.parametrize(
    ("assignments", "said"),
    [
        (["on"], "neither KEY=VALUE nor a JSON object"),
        (["=1"], "neither KEY=VALUE"),
        (["a..b=1"], "neither KEY=VALUE"),
        (["a=1", "a=2"], "is there twice"),
        (["a=1", "a.b=2"], "below something that has a value"),
        (["a.b=1", "a=2"], "has something below it"),
    ],
)
def test_assignments_that_make_no_document_are_named(assignments: list[str], said: str) -> None:
    with pytest.raises(Unusable, match=said):
        assembled(assignments)


def test_a_document_comes_from_the_argument_a_file_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.json"
    file.write_text('{"a": 1}')
    monkeypatch.setattr("sys.stdin", io.StringIO('{"a": 2}'))

    assert _state([' {"a": 0}']) == {"a": 0}
    assert _state([f"@{file}"]) == {"a": 1}
    assert _state(["-"]) == {"a": 2}
    assert _state(["a=3"]) == {"a": 3}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "the document is not JSON"),
        ("[" * 100_000, "the document is not JSON"),
        ("[1]", "not a JSON object"),
        ("@/nowhere/at.all", "cannot read /nowhere/at.all"),
    ],
)
def test_a_document_that_cannot_be_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        read(text)


def test_a_file_that_is_no_text_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"\x89PNG\xff")

    with pytest.raises(Unusable, match="cannot read"):
        read(f"@{tmp_path / 'image'}")
