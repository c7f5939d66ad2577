import errno
import io
import logging
from pathlib import Path
from typing import Any, cast

import pytest

from hedgerow.edge.configuration import Logging
from hedgerow.edge.notice import rotated

RECORD = logging.LogRecord("edge", logging.INFO, "", 0, "connected", (), None)


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_for_which_the_disk_has_no_room_is_lost_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = rotated(tmp_path / "greengrass.log", Logging())
    handler.close()
    handler.stream = cast("Any", Full())

    handler.handle(RECORD)

    assert capsys.readouterr().err == ""


def test_a_mistake_in_a_record_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = rotated(tmp_path / "greengrass.log", Logging())

    handler.handle(logging.LogRecord("edge", logging.INFO, "", 0, "%d", ("no number",), None))
    handler.close()

    assert "Logging error" in capsys.readouterr().err
