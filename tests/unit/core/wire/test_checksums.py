import pytest

from hedgerow.base.errors import NotImplementedYet, ServiceError
from hedgerow.core.wire.checksums import check_body

HELLO = {  # of b"hello"
    "content-md5": "XUFAKrxLKna5cZ2REBfFkg==",
    "x-amz-checksum-crc32": "NhCmhg==",
    "x-amz-checksum-sha1": "qvTGHdzF6KLavt4PO0gs2a6pQ00=",
    "x-amz-checksum-sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
}


@pytest.mark.parametrize("name", sorted(HELLO))
def test_a_checksum_is_compared_with_the_body(name: str) -> None:
    check_body({name: HELLO[name]}, b"hello")

    with pytest.raises(ServiceError, match=name) as caught:
        check_body({name: HELLO[name]}, b"hellO")
    assert caught.value.code == "BadDigest"


def test_what_cannot_be_a_checksum_is_said_to_be_none() -> None:
    with pytest.raises(ServiceError) as caught:
        check_body({"content-md5": "x"}, b"hello")

    assert caught.value.code == "InvalidDigest"


def test_a_body_without_checksum_is_let_through() -> None:
    check_body({"x-amz-checksum-mode": "ENABLED", "x-amz-checksum-algorithm": "CRC32C"}, b"hello")


def test_a_checksum_that_cannot_be_compared_is_refused_by_name() -> None:
    with pytest.raises(NotImplementedYet, match="x-amz-checksum-crc64nvme"):
        check_body({"x-amz-checksum-crc64nvme": "AAAAAA=="}, b"hello")
