import stat
import subprocess
from pathlib import Path

import pytest

from hedgerow.base.files import RealFiles
from hedgerow.edge.identity import Identity, fits, key_at, request_for
from hedgerow.edge.trouble import Trouble
from tests.support.files import RecordingDisk
from tests.unit.edge.pki import Pki


def test_after_a_power_cut_there_is_the_key_that_was_told_of_or_none(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    disk = RecordingDisk(live)
    key = key_at(live / "keys" / "privKey.key", RealFiles(disk))
    disk.acknowledge("the cloud has the request")

    cuts = list(disk.power_cuts())

    assert len(cuts) > 3
    for number, cut in enumerate(cuts):
        root = cut.lay_out(tmp_path / f"cut-{number}")
        again = key_at(root / "keys" / "privKey.key", RealFiles())
        assert not cut.acknowledged or again.public_key() == key.public_key()


def test_a_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    key_at(tmp_path / "privKey.key", RealFiles())

    assert stat.S_IMODE((tmp_path / "privKey.key").stat().st_mode) == 0o600


def test_a_key_file_that_holds_none_is_named_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "privKey.key"
    path.write_text("nothing")

    with pytest.raises(Trouble, match=r"privKey.key holds no private key"):
        key_at(path, RealFiles())

    assert path.read_text() == "nothing"


def test_a_key_on_a_curve_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.key"
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime239v1", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)

    with pytest.raises(Trouble, match=r"odd.key holds no private key that can be used"):
        key_at(path, RealFiles())


def test_a_certificate_fits_the_key_that_it_was_asked_for_with(tmp_path: Path, pki: Pki) -> None:
    mine = key_at(tmp_path / "mine.key", RealFiles())
    other = key_at(tmp_path / "other.key", RealFiles())
    certificate = pki.device.sign_request(request_for(mine))

    assert fits(certificate, mine)
    assert not fits(certificate, other)
    assert not fits("no certificate", mine)


def test_an_identity_is_remembered_as_it_was(tmp_path: Path) -> None:
    identity = Identity(thing_name="T", certificate=tmp_path / "c", private_key=tmp_path / "k", certificate_id="id")

    assert Identity.of(identity.as_values()) == identity
