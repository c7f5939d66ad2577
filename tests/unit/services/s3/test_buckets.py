"""Buckets: one namespace, each owned by an account."""

from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.services.s3.buckets.errors import (
    BucketAccessDenied,
    BucketIsYours,
    BucketNotEmpty,
    BucketTaken,
    InvalidBucketName,
    NoSuchBucket,
    WrongLocation,
)
from tests.support.s3 import REGION, S3
from tests.support.store import CALLER, OTHER_ACCOUNT


@pytest.fixture
def service(tmp_path: Path) -> S3:
    return S3(tmp_path)


@pytest.mark.spec("X-04")
def test_a_bucket_is_made_found_and_deleted(service: S3) -> None:
    made = service.bucket(CreateBucketConfiguration={"LocationConstraint": REGION})

    assert made["Location"] == "/bucket"
    assert service.store.run(service.buckets.head_bucket, {"Bucket": "bucket"}).response["BucketRegion"] == REGION
    location = service.store.run(service.buckets.get_bucket_location, {"Bucket": "bucket"}).response
    assert location == {"LocationConstraint": REGION}
    service.store.run(service.buckets.delete_bucket, {"Bucket": "bucket"})
    with pytest.raises(NoSuchBucket):
        service.store.run(service.buckets.head_bucket, {"Bucket": "bucket"})


def test_all_accounts_share_the_names_and_nothing_else(service: S3) -> None:
    service.bucket()

    with pytest.raises(BucketIsYours):
        service.bucket()
    with pytest.raises(BucketTaken):
        service.bucket(caller=OTHER_ACCOUNT)
    for operation in (service.buckets.head_bucket, service.buckets.delete_bucket, service.objects.list_objects_v2):
        with pytest.raises(BucketAccessDenied):
            service.store.run(operation, {"Bucket": "bucket"}, OTHER_ACCOUNT)
    assert service.store.run(service.buckets.list_buckets, {}, OTHER_ACCOUNT).response["Buckets"] == []


def test_an_expected_owner_is_compared(service: S3) -> None:
    service.bucket()

    request = {"Bucket": "bucket", "ExpectedBucketOwner": CALLER.account}
    assert service.store.run(service.buckets.head_bucket, request).response["BucketRegion"] == REGION
    with pytest.raises(BucketAccessDenied):
        service.store.run(service.buckets.head_bucket, {**request, "ExpectedBucketOwner": OTHER_ACCOUNT.account})


@pytest.mark.parametrize("name", ["ab", "Bucket", "a..b", "192.168.0.1", "-ab", "ab-", "a_b", "x" * 64])
def test_a_name_that_cannot_be_a_buckets_is_refused(service: S3, name: str) -> None:
    with pytest.raises(InvalidBucketName):
        service.bucket(name)


def test_another_region_is_refused(service: S3) -> None:
    with pytest.raises(WrongLocation, match=REGION):
        service.bucket(CreateBucketConfiguration={"LocationConstraint": "us-west-2"})


@pytest.mark.parametrize("more", [{"ACL": "public-read"}, {"ObjectLockEnabledForBucket": True}])
def test_what_is_not_honoured_is_left_unread(service: S3, more: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):  # MemoryStore.run stands for the pipeline, which refuses it by name
        service.bucket(**more)


async def test_a_bucket_with_objects_is_not_deleted(service: S3) -> None:
    service.bucket()
    await service.put("k", b"x")

    with pytest.raises(BucketNotEmpty):
        service.store.run(service.buckets.delete_bucket, {"Bucket": "bucket"})


def test_buckets_are_listed_by_name_page_by_page(service: S3) -> None:
    for name in ("abc", "abd", "xyz"):
        service.bucket(name)

    first = service.store.run(service.buckets.list_buckets, {"MaxBuckets": 1, "Prefix": "ab"}).response
    token = first["ContinuationToken"]
    request = {"MaxBuckets": 1, "Prefix": "ab", "ContinuationToken": token}
    second = service.store.run(service.buckets.list_buckets, request).response

    assert [each["Name"] for each in first["Buckets"] + second["Buckets"]] == ["abc", "abd"]
    assert "ContinuationToken" not in second
    with pytest.raises(ServiceError, match="continuation token"):
        service.store.run(service.buckets.list_buckets, {"ContinuationToken": "forged"})
