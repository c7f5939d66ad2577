"""Names that `hedgerow edge install --provision true` cannot use: nothing is begun under them."""

from pathlib import Path

import pytest

from hedgerow.base.errors import Unusable
from tests.support.registry import certificate_pem
from tests.unit.cli.test_edge_provisioning import Account, configuration, provision


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text(certificate_pem(common_name="the cloud"))
    return path


@pytest.mark.parametrize("name", ["bad name", "a/b", "x" * 129, "männlich"])
def test_a_name_that_no_thing_can_have_is_refused_and_not_remembered(tmp_path: Path, ca: Path, name: str) -> None:
    account, root = Account(), tmp_path / "edge"

    with pytest.raises(Unusable, match="is no name of a thing"):
        provision(account, root, ca, thing=name)
    there = root.exists()
    provision(account, root, ca, thing="core-1")

    assert not there
    assert configuration(root)["system"]["thingName"] == "core-1"


def test_another_region_than_the_clouds_is_refused(tmp_path: Path, ca: Path) -> None:
    account, root, config = Account(), tmp_path / "edge", tmp_path / "config.yaml"
    config.write_text("services: {aws.greengrass.Nucleus: {configuration: {awsRegion: eu-north-1}}}")

    with pytest.raises(Unusable, match="the cloud is in the region eu-central-1, not eu-north-1"):
        provision(account, root, ca, config=config)

    assert not root.exists()
