"""A token of SoftHSM, and this edge's view of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hedgerow.edge.pkcs11.token import Token
from tests.support.softhsm import SoftToken, soft_token


@pytest.fixture
def soft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    return soft_token(tmp_path / "softhsm", monkeypatch)


@pytest.fixture
def token(soft: SoftToken) -> Iterator[Token]:
    made = Token(soft.settings)
    yield made
    made.close()
