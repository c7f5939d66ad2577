"""The statements of S3 and Lambda on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hedgerow.store import metadata, open_engine
from tests.support.lambda_ import Lambda
from tests.support.postgres import postgresql_schema
from tests.support.s3 import S3
from tests.support.store import MemoryStore

pytestmark = pytest.mark.slow


@pytest.fixture
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgresql_schema(tmp_path_factory.getbasetemp(), "compute") as url:
        yield url


def move(store: MemoryStore, url: str) -> None:
    """Let a store of a test be on PostgreSQL."""
    store.engine.dispose()
    store.engine = open_engine(url)
    metadata.create_all(store.engine)


async def test_objects_are_kept_and_listed_by_the_bytes_of_their_keys(url: str, tmp_path: Path) -> None:
    service = S3(tmp_path)
    move(service.store, url)
    service.bucket()

    for key in ("a", "B", "b/1", "b/2", "é", "a b", "a"):
        await service.put(key, b"x", Metadata={"m": "1"})
    begun = {"Bucket": "bucket", "Key": "z"}
    upload = {
        **begun,
        "UploadId": service.store.run(service.uploads.create_multipart_upload, begun).response["UploadId"],
    }
    part = await service.flow(service.upload_flows.upload_part, {**upload, "PartNumber": 1, "Body": b"z"})
    named = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    await service.flow(service.upload_flows.complete_multipart_upload, {**upload, "MultipartUpload": named})

    request = {"Bucket": "bucket", "Delimiter": "/"}
    answer = service.store.run(service.objects.list_objects_v2, request).response
    service.store.engine.dispose()
    assert [each["Key"] for each in answer["Contents"]] == ["B", "a", "a b", "z", "é"]
    assert answer["CommonPrefixes"] == [{"Prefix": "b/"}]


async def test_functions_are_kept_with_what_belongs_to_them(url: str) -> None:
    service = Lambda()
    move(service.store, url)

    await service.create(Publish=True)
    service.store.run(service.aliases.create_alias, {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "iot.amazonaws.com"}
    service.store.run(service.permissions.add_permission, {"FunctionName": "f", **permission})
    await service.flow(service.flows.invoke, {"FunctionName": "f", "Qualifier": "live", "InvocationType": "Event"})
    queued = len(service.waiting())
    service.store.run(service.functions.delete_function, {"FunctionName": "f"})

    left = service.store.run(service.functions.list_functions, {"FunctionVersion": "ALL"}).response
    service.store.engine.dispose()
    assert queued == 1
    assert left["Functions"] == []
