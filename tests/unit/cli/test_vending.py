from pathlib import Path

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.cli.vending import _entries


def test_a_file_names_devices_their_tokens_and_parameters(tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text("serial,token,ThingName\n1,a,lamp\n2,b,\n", encoding="utf-8-sig")

    assert list(_entries(file)) == [
        {"serialNumber": "1", "token": "a", "parameters": {"ThingName": "lamp"}},
        {"serialNumber": "2", "token": "b"},
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line of names"),
        ("a,b\n1,2\n", "serial and token"),
        ("serial,token\n1,\n", "line 2: serial and token"),
        ("serial,token,serial\n1,t,2\n", "more than once"),
        ("serial,token\n1,t\n2,t,x\n", "line 3: it has not as many fields"),
        ("serial,token,ThingName\n1,t\n", "line 2: it has not as many fields"),
        ("serial,token\n1,t\n2,t\n1,u\n", "line 4: 1 is there twice"),
        ("serial,token\n1 2,t\n", "line 2: a serial number has"),
        ('serial,token\n"1,t\n', "cannot read"),
    ],
)
def test_a_file_without_serials_and_tokens_is_refused_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(text)

    with pytest.raises(Unusable, match=why):
        list(_entries(file))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="cannot read"):
        list(_entries(tmp_path / "none.csv"))
