"""What a rotation that is cut short leaves of files: in the end, those of the certificate in use and no others."""

import asyncio
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from tests.unit.edge.pki import Pki
from tests.unit.edge.test_rotation import Life, Site, rotated, until_fit

again = partial(rotated, order="another order")


def test_a_device_that_is_killed_at_any_step_ends_with_the_files_of_one_identity(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in count(1):
        site = Site(tmp_path / str(at), pki, monkeypatch)
        assert asyncio.run(site.live(Life(), rotated))  # the second one has files of its own to remove
        whole = asyncio.run(site.live(Life(at), again))
        if not whole:
            assert asyncio.run(site.live(Life(), again)), f"killed at step {at}"
            assert asyncio.run(site.live(Life(), until_fit))
        (left,) = (site.folder / "identity").iterdir()
        assert sorted(path.name for path in left.iterdir()) == ["certificate.pem", "private.key", "request.pem"]
        if whole:
            break

    assert at > 15


def test_a_key_that_somebody_keeps_among_these_folders_stays(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site", pki, monkeypatch)
    key = site.folder / "identity" / "7" / "own.key"
    key.parent.mkdir(parents=True)
    first = cast("Path", site.first.private_key).rename(key)
    site.first = replace(site.first, private_key=first)

    assert asyncio.run(site.live(Life(), rotated))
    assert asyncio.run(site.live(Life(), until_fit))
    assert key.exists()
