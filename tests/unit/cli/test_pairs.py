import pytest

from hedgerow.base.errors import Unusable
from hedgerow.cli.pairs import pairs


def test_each_name_is_given_once() -> None:
    assert pairs("--parameter", ["Room=1", "Floor=2"]) == {"Room": "1", "Floor": "2"}
    with pytest.raises(Unusable, match="--parameter Room is given twice"):
        pairs("--parameter", ["Room=1", "Floor=2", "Room=1"])


@pytest.mark.parametrize("text", ["ThingName", "=b", ""])
def test_a_pair_has_a_name_and_a_value(text: str) -> None:
    assert pairs("--parameter", ["ThingName=a=b", "Empty="]) == {"ThingName": "a=b", "Empty": ""}
    with pytest.raises(Unusable, match=f"--parameter takes NAME=VALUE, not {text}"):
        pairs("--parameter", [text])
