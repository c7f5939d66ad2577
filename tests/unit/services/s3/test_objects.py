"""Objects: bytes in, the same bytes out, under conditions, in parts, in lists."""

import base64
import hashlib
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ServiceError
from hedgerow.services.s3.buckets.errors import BucketAccessDenied, NoSuchBucket
from hedgerow.services.s3.objects import ObjectStore
from hedgerow.services.s3.objects.errors import (
    BadDigest,
    InvalidDigest,
    InvalidObjectRequest,
    InvalidRange,
    KeyTooLong,
    MetadataTooLarge,
    NoSuchKey,
    NotModified,
    PointlessCopy,
    PreconditionFailed,
    TooManyKeys,
)
from hedgerow.services.s3.objects.listing import listing
from hedgerow.services.s3.objects.model import Object, read_range
from tests.support.s3 import S3, whole
from tests.support.store import CALLER, OTHER_ACCOUNT

HELLO = '"5d41402abc4b2a76b9719d911017c592"'  # MD5 of hello


@pytest.fixture
def service(tmp_path: Path) -> S3:
    found = S3(tmp_path)
    found.bucket()
    return found


@pytest.mark.spec("X-04")
async def test_what_was_put_is_got_with_its_headers_and_metadata(service: S3) -> None:
    headers: dict[str, Any] = {
        "ContentType": "text/plain",
        "CacheControl": "no-cache",
        "ContentEncoding": "aws-chunked,gzip",
    }
    put = await service.put("a/b c", b"hello", Metadata={"Name": "v"}, **headers)

    answer = await service.get("a/b c")

    assert put == {"ETag": HELLO}
    assert answer == {
        "AcceptRanges": "bytes",
        "Body": b"hello",
        "CacheControl": "no-cache",
        "ContentEncoding": "gzip",
        "ContentLength": 5,
        "ContentType": "text/plain",
        "ETag": HELLO,
        "LastModified": service.store.clock.now(),
        "Metadata": {"name": "v"},
    }
    assert service.head("a/b c") == {name: value for name, value in answer.items() if name != "Body"}


async def test_an_object_without_a_type_has_the_default_one(service: S3) -> None:
    await service.put("k")

    assert (await service.get("k"))["ContentType"] == "binary/octet-stream"


async def test_a_put_in_the_same_place_replaces_the_object(service: S3) -> None:
    await service.put("k", b"one", Metadata={"a": "1"})
    await service.put("k", b"two")

    answer = await service.get("k")

    assert (answer["Body"], answer["Metadata"]) == (b"two", {})


async def test_a_large_object_comes_in_pieces(service: S3) -> None:
    data = bytes(range(256)) * 8192
    await service.put("k", data)

    answer = await service.get("k")
    part = await service.get("k", Range="bytes=100-1500099")

    assert not isinstance(answer["Body"], bytes)
    assert await whole(answer["Body"]) == data
    assert await whole(part["Body"]) == data[100:1_500_100]


@pytest.mark.parametrize(
    ("asked", "body", "shown"),
    [
        ("bytes=0-1", b"he", "bytes 0-1/5"),
        ("bytes=3-", b"lo", "bytes 3-4/5"),
        ("bytes=-2", b"lo", "bytes 3-4/5"),
        ("bytes=0-99", b"hello", "bytes 0-4/5"),
        ("bytes=4-3", b"hello", None),
        ("lines=1-2", b"hello", None),
    ],
)
async def test_a_range_gives_a_part(service: S3, asked: str, body: bytes, shown: str | None) -> None:
    await service.put("k", b"hello")

    answer = await service.get("k", Range=asked)

    assert (answer["Body"], answer["ContentLength"], answer.get("ContentRange")) == (body, len(body), shown)


@pytest.mark.parametrize("asked", ["bytes=5-", "bytes=9-10", "bytes=-0"])
async def test_a_range_behind_the_end_is_refused(service: S3, asked: str) -> None:
    await service.put("k", b"hello")

    with pytest.raises(InvalidRange):
        await service.get("k", Range=asked)


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 60))
def test_a_range_is_what_slicing_gives(size: int, first: int, last: int) -> None:
    data = bytes(range(size))

    try:
        part = read_range(f"bytes={first}-{last}", size)
    except InvalidRange:
        assert first >= size
        return

    assert part is None if last < first else part is not None
    if part is not None:
        assert data[part[0] : part[1]] == data[first : last + 1]


@pytest.mark.parametrize(
    ("conditions", "error"),
    [
        ({"IfMatch": HELLO}, None),
        ({"IfMatch": '"other"'}, PreconditionFailed),
        ({"IfNoneMatch": HELLO}, NotModified),
        ({"IfNoneMatch": '"other"'}, None),
        ({"IfModifiedSince": 1_800_000_000.0}, NotModified),
        ({"IfModifiedSince": 1_799_999_999.0}, None),
        ({"IfUnmodifiedSince": 1_799_999_999.0}, PreconditionFailed),
        ({"IfUnmodifiedSince": 1_800_000_000.0}, None),
        ({"IfMatch": HELLO, "IfUnmodifiedSince": 0.0}, None),
        ({"IfNoneMatch": '"other"', "IfModifiedSince": 1_800_000_000.0}, None),
    ],
)
async def test_conditions_of_a_read(service: S3, conditions: dict[str, Any], error: type[Exception] | None) -> None:
    await service.put("k", b"hello")

    if error is None:
        assert (await service.get("k", **conditions))["Body"] == b"hello"
    else:
        with pytest.raises(error):
            await service.get("k", **conditions)
        with pytest.raises(error):
            service.head("k", **conditions)


async def test_conditions_of_a_write(service: S3) -> None:
    await service.put("k", b"hello", IfNoneMatch="*")

    with pytest.raises(PreconditionFailed):
        await service.put("k", b"other", IfNoneMatch="*")
    with pytest.raises(PreconditionFailed):
        await service.put("k", b"other", IfMatch='"other"')
    with pytest.raises(PreconditionFailed):
        await service.put("missing", b"other", IfMatch="*")
    await service.put("k", b"new", IfMatch=HELLO)

    assert (await service.get("k"))["Body"] == b"new"


async def test_checksums_are_compared_kept_and_told(service: S3) -> None:
    crc = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    sha = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    md5 = base64.b64encode(bytes.fromhex(HELLO.strip('"'))).decode()

    put = await service.put("k", b"hello", ChecksumCRC32=crc, ChecksumAlgorithm="CRC32", ContentMD5=md5)
    asked = await service.get("k", ChecksumMode="ENABLED")
    unasked = await service.get("k")

    assert put == {"ETag": HELLO, "ChecksumCRC32": crc, "ChecksumType": "FULL_OBJECT"}
    assert (asked["ChecksumCRC32"], "ChecksumCRC32" in unasked) == (crc, False)
    with pytest.raises(BadDigest):
        await service.put("k", b"hullo", ChecksumSHA256=sha)
    with pytest.raises(BadDigest):
        await service.put("k", b"hullo", ContentMD5=md5)
    with pytest.raises(InvalidDigest):
        await service.put("k", b"hello", ContentMD5="short")
    assert (await service.get("k"))["Body"] == b"hello"


@pytest.mark.parametrize(
    "more",
    [
        {"ACL": "public-read"},
        {"StorageClass": "GLACIER"},
        {"ServerSideEncryption": "AES256"},
        {"Tagging": "a=b"},
        {"ChecksumCRC64NVME": "x"},
    ],
)
async def test_what_is_not_honoured_is_refused_by_name_and_stores_nothing(service: S3, more: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match=next(iter(more))) as refusal:
        await service.put("k", b"hello", **more)

    assert refusal.value.code == "NotImplementedException"
    with pytest.raises(NoSuchKey):
        await service.get("k")


async def test_what_does_not_fit_is_refused(service: S3) -> None:
    with pytest.raises(KeyTooLong):
        await service.put("k" * 1025, b"")
    with pytest.raises(MetadataTooLarge):
        await service.put("k", b"", Metadata={"a": "x" * 2048})


async def test_an_account_reaches_no_object_of_another(service: S3) -> None:
    await service.put("k", b"hello")

    for work in (service.get("k", OTHER_ACCOUNT), service.put("k", b"x", OTHER_ACCOUNT)):
        with pytest.raises(BucketAccessDenied):
            await work
    with pytest.raises(BucketAccessDenied):
        service.store.run(service.objects.delete_object, {"Bucket": "bucket", "Key": "k"}, OTHER_ACCOUNT)
    with pytest.raises(NoSuchBucket):
        await service.flow(service.flows.get_object, {"Bucket": "other", "Key": "k"})
    assert (await service.get("k"))["Body"] == b"hello"


async def test_headers_can_be_asked_for_in_a_read(service: S3) -> None:
    await service.put("k", b"hello", ContentType="text/plain")

    answer = await service.get("k", ResponseContentType="x/y", ResponseContentDisposition="attachment")

    assert (answer["ContentType"], answer["ContentDisposition"]) == ("x/y", "attachment")


async def test_deleting_is_the_same_whether_there_was_something_or_not(service: S3) -> None:
    await service.put("a", b"1")
    await service.put("b", b"1")

    one = service.store.run(service.objects.delete_object, {"Bucket": "bucket", "Key": "missing"}).response
    request = {"Bucket": "bucket", "Delete": {"Objects": [{"Key": "a"}, {"Key": "missing"}]}}
    many = service.store.run(service.objects.delete_objects, request).response
    quiet = {"Bucket": "bucket", "Delete": {"Objects": [{"Key": "b"}], "Quiet": True}}

    assert one == {}
    assert many == {"Deleted": [{"Key": "a"}, {"Key": "missing"}]}
    assert service.store.run(service.objects.delete_objects, quiet).response == {}
    for key in ("a", "b"):
        with pytest.raises(NoSuchKey):
            await service.get(key)


def test_a_thousand_objects_are_deleted_at_once_and_no_more(service: S3) -> None:
    request = {"Bucket": "bucket", "Delete": {"Objects": [{"Key": "k"}] * 1001}}

    with pytest.raises(TooManyKeys):
        service.store.run(service.objects.delete_objects, request)


async def test_a_copy_keeps_or_replaces_the_headers(service: S3) -> None:
    await service.put("a b", b"hello", ContentType="text/plain", Metadata={"m": "1"})

    def copy(key: str, **more: Any) -> Any:
        request = {"Bucket": "bucket", "Key": key, "CopySource": "bucket/a%20b", **more}
        return service.store.run(service.objects.copy_object, request).response

    kept = copy("same")
    copy("new", MetadataDirective="REPLACE", ContentType="x/y")

    assert kept["CopyObjectResult"]["ETag"] == HELLO
    assert ((await service.get("same"))["ContentType"], service.head("same")["Metadata"]) == ("text/plain", {"m": "1"})
    assert ((await service.get("new"))["ContentType"], service.head("new")["Metadata"]) == ("x/y", {})
    with pytest.raises(PointlessCopy):
        copy("a b")
    with pytest.raises(NoSuchKey):
        service.store.run(
            service.objects.copy_object, {"Bucket": "bucket", "Key": "k", "CopySource": "/bucket/missing"}
        )


def test_a_copy_of_a_key_that_is_no_text_is_refused(service: S3) -> None:
    request = {"Bucket": "bucket", "Key": "k", "CopySource": "bucket/a%FF"}

    with pytest.raises(InvalidObjectRequest, match="UTF-8"):
        service.store.run(service.objects.copy_object, request)


async def filled(service: S3, *keys: str) -> None:
    for key in keys:
        await service.put(key, b"x")


async def test_a_listing_groups_by_delimiter_and_goes_on_with_its_token(service: S3) -> None:
    await filled(service, "a", "b/1", "b/2", "c/1", "d")

    def page(token: str | None) -> Any:
        request = {"Bucket": "bucket", "Delimiter": "/", "MaxKeys": 2, "EncodingType": "url"}
        more = {"ContinuationToken": token} if token else {}
        return service.store.run(service.objects.list_objects_v2, {**request, **more}).response

    first = page(None)
    second = page(first["NextContinuationToken"])

    assert [each["Key"] for each in first["Contents"]] == ["a"]
    assert first["CommonPrefixes"] == [{"Prefix": "b/"}]
    assert (first["IsTruncated"], first["KeyCount"]) == (True, 2)
    assert second["CommonPrefixes"] == [{"Prefix": "c/"}]
    assert [each["Key"] for each in second["Contents"]] == ["d"]
    assert second["IsTruncated"] is False


async def test_the_old_listing_goes_on_with_a_marker(service: S3) -> None:
    await filled(service, "a", "b", "c ö")

    first = service.store.run(service.objects.list_objects, {"Bucket": "bucket", "MaxKeys": 2}).response
    second = service.store.run(
        service.objects.list_objects, {"Bucket": "bucket", "Marker": first["NextMarker"], "EncodingType": "url"}
    ).response

    assert [each["Key"] for each in first["Contents"]] == ["a", "b"]
    assert [each["Key"] for each in second["Contents"]] == ["c%20%C3%B6"]


async def test_a_token_of_another_listing_is_refused(service: S3) -> None:
    await filled(service, "a", "b")
    token = service.store.run(service.objects.list_objects_v2, {"Bucket": "bucket", "MaxKeys": 1}).response[
        "NextContinuationToken"
    ]

    with pytest.raises(ServiceError, match="continuation token"):
        service.store.run(
            service.objects.list_objects_v2, {"Bucket": "bucket", "Prefix": "x", "ContinuationToken": token}
        )


KEYS = st.lists(st.text("ab/é", min_size=1, max_size=6), unique=True, max_size=25)


@given(KEYS, st.sampled_from(["", "a", "a/"]), st.sampled_from(["", "/", "b"]), st.integers(1, 4))
def test_pages_put_together_are_the_listing_that_a_slow_one_gives(
    keys: list[str], prefix: str, delimiter: str, limit: int
) -> None:
    ordered = sorted(keys, key=str.encode)

    def page(after: str, most: int) -> list[Object]:
        found = [key for key in ordered if key.startswith(prefix) and key.encode() > after.encode()]
        return [made(key) for key in found[:most]]

    expected: list[str] = []
    for key in ordered:
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            entry = key if at < 0 else key[: at + len(delimiter)]
            if entry not in expected:
                expected.append(entry)

    seen: list[str] = []
    after = ""
    for _ in range(100):
        answer = listing(page, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
        seen += [each.key for each in answer.objects] + answer.prefixes
        assert answer.count <= limit
        if answer.last is None:
            break
        after = answer.last

    assert sorted(seen) == sorted(expected)


def made(key: str) -> Object:
    return Object(account="1", bucket="b", key=key, digest="", size=0, etag="", modified_at=0.0)


async def test_our_own_parts_read_objects_and_give_links(service: S3) -> None:
    await service.put("a b", b"hello")

    url = urlsplit(await service.flows.link(CALLER.account, "bucket", "a b", expires_s=60))

    assert await service.flows.read(CALLER.account, "bucket", "a b") == b"hello"
    assert await service.flows.read(CALLER.account, "bucket", "missing") is None
    with pytest.raises(BucketAccessDenied):
        await service.flows.read(OTHER_ACCOUNT.account, "bucket", "a b")
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, url.path) == ("http", "localhost:8080", "/bucket/a%20b")
    assert query["X-Amz-Expires"] == ["60"]
    assert query["X-Amz-Credential"][0].startswith("AKIAEXAMPLE/20270115/eu-central-1/s3/")


async def test_a_link_to_a_blob_shows_in_no_list(service: S3) -> None:
    blob = await service.blobs.put(CALLER.account, b"package")

    urls = [await service.flows.link_to_blob(CALLER.account, blob.digest, blob.size, "f.zip") for _ in range(2)]

    path = urlsplit(urls[0]).path
    bucket, _, key = path.removeprefix("/").partition("/")
    assert urlsplit(urls[1]).path == path
    assert await service.flows.read(CALLER.account, bucket, key) == b"package"
    names = [each["Name"] for each in service.store.run(service.buckets.list_buckets).response["Buckets"]]
    assert names == ["bucket"]


async def test_the_blobs_that_objects_name_are_known_by_account(service: S3) -> None:
    await service.put("a", b"1")
    await service.put("b", b"1")
    await service.put("c", b"2")

    with service.store.tx() as tx:
        assert len(ObjectStore().digests(tx, CALLER.account)) == 2
        assert ObjectStore().digests(tx, OTHER_ACCOUNT.account) == set()
