"""The cloud that a command talks to, from the environment alone."""

import os
from pathlib import Path

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.cli.target import data_path, target

KEYS = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
}


@pytest.mark.parametrize(
    ("regions", "region"),
    [
        ({"AWS_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),  # all that the AWS CLI and boto3 look at
        ({"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-central-1"),
    ],
)
def test_the_region_may_have_either_name(regions: dict[str, str], region: str) -> None:
    assert target(None, {**KEYS, **regions}).region == region


def test_a_region_that_is_missing_is_named() -> None:
    with pytest.raises(Unusable, match=r"AWS_REGION is not set: .*hedgerow cloud env"):
        target(None, KEYS)


def test_the_aws_tools_learn_of_hedgerow_once_beside_what_they_know() -> None:
    own = data_path({})

    assert (Path(own) / "hedgerow").is_dir()
    assert data_path({"AWS_DATA_PATH": "/mine"}) == f"/mine{os.pathsep}{own}"
    assert data_path({"AWS_DATA_PATH": data_path({"AWS_DATA_PATH": "/mine"})}) == f"/mine{os.pathsep}{own}"
