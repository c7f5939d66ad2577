"""Uploads in parts: put together as named, or not at all."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from hedgerow.services.s3.buckets.errors import BucketAccessDenied
from hedgerow.services.s3.objects.errors import BadDigest, NoSuchKey, PreconditionFailed
from hedgerow.services.s3.uploads import FORGOTTEN, UploadStore
from hedgerow.services.s3.uploads.errors import (
    InvalidPart,
    InvalidPartNumber,
    InvalidPartOrder,
    NoSuchUpload,
    PartTooSmall,
)
from hedgerow.services.s3.uploads.model import MIN_PART
from hedgerow.store import FollowUp
from tests.support.s3 import S3, whole
from tests.support.store import CALLER, OTHER_ACCOUNT

BIG = b"a" * MIN_PART


class Uploading:
    """One upload to the key `k`."""

    def __init__(self, folder: Path) -> None:
        self.service = S3(folder)
        self.service.bucket()
        request = {"Bucket": "bucket", "Key": "k", "ContentType": "text/plain", "Metadata": {"m": "1"}}
        began = self.service.store.run(self.service.uploads.create_multipart_upload, request).response
        self.key = {"Bucket": "bucket", "Key": "k", "UploadId": began["UploadId"]}

    async def part(self, number: int, body: bytes, **more: Any) -> str:
        request = {**self.key, "PartNumber": number, "Body": body, **more}
        return str((await self.service.flow(self.service.upload_flows.upload_part, request))["ETag"])

    async def complete(self, *parts: tuple[int, str], **more: Any) -> Any:
        named = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        request = {**self.key, "MultipartUpload": {"Parts": named}, **more}
        return await self.service.flow(self.service.upload_flows.complete_multipart_upload, request)


@pytest.fixture
def upload(tmp_path: Path) -> Uploading:
    return Uploading(tmp_path)


async def test_parts_become_one_object(upload: Uploading) -> None:
    second = await upload.part(2, b"end")
    first = await upload.part(1, BIG)

    answer = await upload.complete((1, first), (2, second))

    found = await upload.service.get("k")
    md5 = hashlib.md5(hashlib.md5(BIG).digest() + hashlib.md5(b"end").digest()).hexdigest()
    assert await whole(found["Body"]) == BIG + b"end"
    assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"m": "1"})
    assert answer["ETag"] == found["ETag"] == f'"{md5}-2"'
    with pytest.raises(NoSuchUpload):
        await upload.complete((1, first))
    with upload.service.store.tx() as tx:
        assert UploadStore().digests(tx, CALLER.account) == set()


async def test_a_part_can_be_uploaded_anew_or_left_out(upload: Uploading) -> None:
    await upload.part(1, b"old")
    new = await upload.part(1, b"new")
    await upload.part(2, b"left out")

    await upload.complete((1, new))

    assert (await upload.service.get("k"))["Body"] == b"new"


async def test_what_does_not_fit_makes_no_object(upload: Uploading) -> None:
    small, other = await upload.part(1, b"small"), await upload.part(2, b"other")

    for parts, error in (
        (((1, small), (2, other)), PartTooSmall),
        (((2, other), (1, small)), InvalidPartOrder),
        (((1, other),), InvalidPart),
        (((3, other),), InvalidPart),
        ((), InvalidPart),
    ):
        with pytest.raises(error):
            await upload.complete(*parts)
    with pytest.raises(PreconditionFailed):
        await upload.complete((1, small), IfMatch="*")
    with pytest.raises(InvalidPartNumber):
        await upload.part(10_001, b"")
    with pytest.raises(BadDigest):
        await upload.part(1, b"x", ContentMD5="XUFAKrxLKna5cZ2REBfFkg==")
    with pytest.raises(NoSuchKey):
        await upload.service.get("k")


async def test_an_aborted_upload_is_gone(upload: Uploading) -> None:
    etag = await upload.part(1, b"x")

    upload.service.store.run(upload.service.uploads.abort_multipart_upload, upload.key)

    with pytest.raises(NoSuchUpload):
        await upload.complete((1, etag))


async def test_an_upload_that_nobody_completes_is_forgotten(upload: Uploading) -> None:
    await upload.part(1, b"x")
    upload_id = upload.key["UploadId"]

    row = FollowUp(seq=1, account=CALLER.account, kind=FORGOTTEN, key=upload_id, due_at=0.0, body={})
    with upload.service.store.tx() as tx:
        upload.service.uploads.on_forgotten(tx, row)

    with pytest.raises(NoSuchUpload):
        await upload.part(2, b"y")


async def test_a_page_of_parts_holds_one_at_least(upload: Uploading) -> None:
    await upload.part(1, b"x")
    await upload.part(2, b"y")

    answer = upload.service.store.run(upload.service.uploads.list_parts, {**upload.key, "MaxParts": -1}).response

    assert [part["PartNumber"] for part in answer["Parts"]] == [1]


async def test_parts_are_listed_page_by_page(upload: Uploading) -> None:
    for number in (1, 2, 3):
        await upload.part(number, b"x" * number)

    first = upload.service.store.run(upload.service.uploads.list_parts, {**upload.key, "MaxParts": 2}).response
    rest = {**upload.key, "PartNumberMarker": str(first["NextPartNumberMarker"])}
    second = upload.service.store.run(upload.service.uploads.list_parts, rest).response

    assert [(part["PartNumber"], part["Size"]) for part in first["Parts"] + second["Parts"]] == [(1, 1), (2, 2), (3, 3)]
    assert (first["IsTruncated"], second["IsTruncated"]) == (True, False)


async def test_another_account_reaches_no_upload(upload: Uploading) -> None:
    with pytest.raises(BucketAccessDenied):
        upload.service.store.run(upload.service.uploads.abort_multipart_upload, upload.key, OTHER_ACCOUNT)

    assert await upload.part(1, b"still there")
