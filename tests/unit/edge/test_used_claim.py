import logging
from dataclasses import replace
from pathlib import Path

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.base.files import RealFiles
from hedgerow.edge.configuration import Claim
from hedgerow.edge.endpoint import Endpoint
from hedgerow.edge.used_claim import removed, sign_of


def claim(folder: Path) -> Claim:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("claim.pem", "claim.key"):
        (folder / name).write_text("secret")
    return Claim(
        endpoint=Endpoint("cloud.local", 8883),
        template="radios",
        certificate=folder / "claim.pem",
        private_key=folder / "claim.key",
        parameters={},
        new_certificate=folder / "thingCert.crt",
        new_private_key=folder / "privKey.key",
    )


class ReadOnly(RealFiles):
    def remove(self, path: Path) -> None:
        raise Unavailable(f"cannot write {path}: Read-only file system")


@pytest.mark.spec("AL-54")
def test_a_claim_in_the_edges_own_folder_is_removed_key_and_all_once(tmp_path: Path) -> None:
    used = claim(tmp_path / "edge" / "claim")
    sign = sign_of(used)

    first, second = (removed(used, sign, tmp_path / "edge", RealFiles()) for _ in range(2))

    assert (first, second) == ([used.private_key, used.certificate], [])
    assert not used.certificate.with_name("claim.key").exists()


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_claim_that_others_may_use_or_that_is_to_be_kept_stays(tmp_path: Path, elsewhere: bool) -> None:
    used = claim(tmp_path / "shared" if elsewhere else tmp_path / "edge" / "claim")
    used = replace(used, keep=not elsewhere)

    assert removed(used, sign_of(used), tmp_path / "edge", RealFiles()) == []
    assert used.certificate.with_name("claim.key").exists()


def test_another_claim_that_was_put_there_later_stays(tmp_path: Path) -> None:
    used = claim(tmp_path / "edge" / "claim")
    sign = sign_of(used)
    used.certificate.write_text("another")

    assert removed(used, sign, tmp_path / "edge", RealFiles()) == []
    assert removed(used, "", tmp_path / "edge", RealFiles()) == []
    assert used.certificate.with_name("claim.key").exists()


def test_a_path_that_leads_out_of_the_edges_folder_is_elsewhere(tmp_path: Path) -> None:
    used = claim(tmp_path / "shared")
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "claim").symlink_to(tmp_path / "shared")
    inside = tmp_path / "edge" / "claim"
    linked = replace(used, certificate=inside / "claim.pem", private_key=inside / "claim.key")

    assert removed(linked, sign_of(linked), tmp_path / "edge", RealFiles()) == []
    assert used.certificate.with_name("claim.key").exists()


def test_a_disk_that_cannot_be_written_costs_no_identity(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    used, said = claim(tmp_path / "edge"), list[str]()

    with caplog.at_level(logging.WARNING, "hedgerow.edge.provisioning"):
        assert removed(used, sign_of(used), tmp_path / "edge", ReadOnly(), said.append) == []

    assert [record.getMessage() for record in caplog.records] == ["the claim stays"]
    assert said == [
        f"warning: the claim has done its work, but {used.private_key} stays: cannot write {used.private_key}: "
        "Read-only file system"
    ]


def test_a_key_that_could_not_be_removed_is_removed_at_the_next_start(tmp_path: Path) -> None:
    class Once(RealFiles):
        def remove(self, path: Path) -> None:
            if path.suffix == ".key":
                raise Unavailable(f"cannot write {path}: Device or resource busy")
            super().remove(path)

    used = claim(tmp_path / "edge")
    sign = sign_of(used)

    assert removed(used, sign, tmp_path / "edge", Once()) == []
    assert removed(used, sign, tmp_path / "edge", RealFiles()) == [used.private_key, used.certificate]
