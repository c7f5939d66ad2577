from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.cli import vending
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
        ("serial,token\n1, t\n", "line 2: a token has"),
        (f"serial,token\n1,{'t' * 257}\n", "line 2: a token has"),
        ("serial,token,\n1,t,\n2,t,hall\n", "line 3: 'hall' is in a column without a name"),
        ('serial,token\n"1,t\n', "cannot read"),
    ],
)
def test_a_file_without_serials_and_tokens_is_refused_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(text)

    with pytest.raises(Unusable, match=why):
        list(_entries(file))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"serial,token\n1,T\xfcr\n")

    for name, why in (("none.csv", "No such file"), ("binary", "not written in UTF-8")):
        with pytest.raises(Unusable, match=f"cannot read .*{why}"):
            list(_entries(tmp_path / name))


class Cloud:
    """Takes one hundred devices, and then no more."""

    def __init__(self) -> None:
        self.taken = 0
        self.until: datetime | None = None

    def import_vending_devices(self, *, devices: list[Any], expiresAt: datetime, **more: str) -> dict[str, Any]:
        self.until = expiresAt
        if self.taken:
            raise Unusable(f"the cloud refused: {more['templateName']} is gone")
        self.taken += len(devices)
        return {"imported": self.taken - 1, "denied": ["s99"]}


def test_an_import_that_ends_early_says_how_far_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cloud = tmp_path / "devices.csv", Cloud()
    file.write_text("serial,token\n" + "".join(f"s{number},t\n" for number in range(150)))
    monkeypatch.setattr(vending, "target", lambda data: None)
    monkeypatch.setattr(vending, "asked", lambda target, ask: ask(cloud))

    with pytest.raises(Unusable, match="99 of 150 devices may have a certificate, the others not: the cloud refused"):
        vending.import_(file, "fleet", datetime(2030, 1, 2))  # noqa: DTZ001  # as typer reads it

    assert cloud.until == datetime(2030, 1, 2, tzinfo=UTC)
