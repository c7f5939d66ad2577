from pathlib import Path

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.base.files import RealFiles
from hedgerow.cli.device_files import KEY, DeviceFiles


@pytest.mark.spec("DR-15")
def test_two_commands_do_not_make_the_same_device(tmp_path: Path) -> None:
    one, other = (DeviceFiles(folder=tmp_path / "lamp", files=RealFiles()) for _ in range(2))

    with one.held():
        one.signing_request("lamp")
        key = (tmp_path / "lamp" / KEY).read_bytes()
        with pytest.raises(Unusable, match="another command is at work in"), other.held():
            pass
    with other.held():
        other.signing_request("lamp")

    assert (tmp_path / "lamp" / KEY).read_bytes() == key
