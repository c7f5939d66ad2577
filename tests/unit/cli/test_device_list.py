import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import Unusable
from hedgerow.cli.device_list import Wanted, listed, named


def table(folder: Path, text: str) -> Path:
    path = folder / "devices.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_has_types_groups_and_attributes_and_what_is_said_besides_holds_for_all(tmp_path: Path) -> None:
    path = table(tmp_path, "\ufeffname,type,groups,attribute.site\npump-1,Pump,a; b,north\npump-2,,,\n")

    wanted = listed(path, thing_type="Box", groups=("all", "a"))

    assert wanted == [
        Wanted(name="pump-1", type="Pump", groups=("all", "a", "b"), attributes=(("site", "north"),)),
        Wanted(name="pump-2", type="Box", groups=("all", "a")),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column `name`"),
        ("serial\n1\n", "has no column `name`"),
        ("name,colour\na,red\n", "unknown columns colour"),
        ("name,name\na,b\n", "the column name more than once"),
        ("name\n", "names no device"),
        ("name,type\na\n", "line 2: it has not as many fields"),
        ("name\na,b\n", "line 2: it has not as many fields"),
        ("name\na\na\n", "line 3: a is there twice"),
        ("name\na b\nc/d\n", "line 3: a thing's name has"),
        ('name\n"a\n', "cannot read"),
    ],
)
def test_a_list_that_is_wrong_is_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Unusable) as refusal:
        listed(table(tmp_path, text))

    assert words in str(refusal.value)


def test_a_list_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"name\n\xff\xfe\n")

    for path, why in ((tmp_path / "none.csv", "No such file"), (tmp_path / "binary", "not written in UTF-8")):
        with pytest.raises(Unusable, match=f"cannot read .*{why}"):
            listed(path)


def test_many_faults_are_not_all_told() -> None:
    with pytest.raises(Unusable, match="and 15 more"):
        named([f"bad name {number}" for number in range(25)])


NAMES = st.lists(st.from_regex(r"[a-zA-Z0-9:_-]{1,20}", fullmatch=True), min_size=1, unique=True)


@given(NAMES)
def test_names_are_kept_in_order(names: list[str]) -> None:
    assert [one.name for one in named(names)] == names


@given(NAMES, st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10))
def test_a_list_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], value: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([["name", "attribute.note"], *([name, value] for name in names)])

    found = listed(table(tmp_path_factory.mktemp("list"), text.getvalue()))

    assert [one.name for one in found] == names
    assert all(one.attributes == ((("note", value),) if value else ()) for one in found)
