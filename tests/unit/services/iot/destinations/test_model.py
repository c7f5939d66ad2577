import pytest

from hedgerow.services.iot.destinations.errors import InvalidDestination
from hedgerow.services.iot.destinations.model import checked_url


@pytest.mark.parametrize(
    "url", ["http://[::1", "ftp://a/b", "http://", "https://user@a/b", "x", "", "http://a/" + "b" * 2000]
)
def test_what_nothing_can_be_posted_to_is_no_destination(url: str) -> None:
    with pytest.raises(InvalidDestination):
        checked_url(url)


def test_a_plain_url_is_a_destination() -> None:
    assert checked_url("https://a:8443/b?c=d") == "https://a:8443/b?c=d"
