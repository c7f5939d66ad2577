"""Job documents that are read from S3, and links in them."""

import json
from typing import Any

import pytest

from hedgerow.base.errors import AccessDenied, NotImplementedYet
from hedgerow.services.iot.errors import InvalidRequest
from tests.support.jobs import Cloud, FakeLinks

S3 = "https://s3.eu-central-1.amazonaws.com"
LINKED = json.dumps({"get": f"${{aws:iot:s3-presigned-url:{S3}/files/app 1.zip}}", "do": "it"})
PRESIGNED = {"roleArn": FakeLinks.ROLE, "expiresInSec": 300}


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def document_of(cloud: Cloud) -> Any:
    return cloud.publish("$next/get")[1]["execution"]["jobDocument"]


@pytest.mark.spec("JB-32")
def test_a_device_gets_fresh_links_each_time_and_the_operator_the_placeholder(cloud: Cloud) -> None:
    cloud.create(document=LINKED, presignedUrlConfig=PRESIGNED)

    first, second = document_of(cloud), document_of(cloud)

    base = "https://cloud.local:8443/files/app 1.zip?expires=300&made="
    assert first["get"].startswith(base)
    assert second["get"].startswith(base)
    assert first["get"] != second["get"]
    assert first["do"] == "it"
    shown = cloud.store.run(cloud.api.get_job_document, {"jobId": "j"}).response
    assert shown == {"document": LINKED}
    assert cloud.job()["presignedUrlConfig"] == PRESIGNED


def test_links_are_in_every_way_of_getting_the_document(cloud: Cloud) -> None:
    told = cloud.create(document=LINKED, presignedUrlConfig={"roleArn": FakeLinks.ROLE})
    by_notice = json.loads(told.events[-1].payload)["execution"]["jobDocument"]  # type: ignore[union-attr]
    by_start = cloud.publish("start-next")[1]["execution"]["jobDocument"]
    by_http = cloud.store.run(cloud.data.describe_job_execution, {"thingName": "T", "jobId": "j"})
    by_update = cloud.publish("j/update", {"status": "IN_PROGRESS", "includeJobDocument": True})[1]["jobDocument"]

    documents = [by_notice, by_start, json.loads(by_http.response["execution"]["jobDocument"]), by_update]
    assert all("expires=3600" in document["get"] for document in documents)


def test_the_newer_placeholder_is_a_link_too(cloud: Cloud) -> None:
    v2 = '{"get":"${aws:iot:s3-presigned-url-v2:https://files.s3.eu-central-1.amazonaws.com/a/b}"}'

    cloud.create(document=v2, presignedUrlConfig=PRESIGNED)

    assert document_of(cloud)["get"].startswith("https://cloud.local:8443/files/a/b?")


def test_where_the_role_is_gone_the_placeholder_stays(cloud: Cloud) -> None:
    cloud.create(document=LINKED, presignedUrlConfig=PRESIGNED)

    cloud.links.roles.clear()

    assert document_of(cloud) == json.loads(LINKED)


def test_a_document_may_link_to_our_own_s3_by_its_own_name(cloud: Cloud) -> None:
    own = '{"get":"${aws:iot:s3-presigned-url:https://cloud.local:8443/files/a}"}'

    cloud.create(document=own, presignedUrlConfig=PRESIGNED)

    assert document_of(cloud)["get"].startswith("https://cloud.local:8443/files/a?")


@pytest.mark.parametrize(
    ("document", "config", "words"),
    [
        (LINKED, None, "needs presignedUrlConfig"),
        (LINKED, {"roleArn": "arn:aws:iam::123456789012:role/other"}, "does not exist, or does not trust"),
        (LINKED, {"expiresInSec": 100}, "needs a roleArn"),
        ('{"get":"${aws:iot:s3-presigned-url:https://example.com/b/k}"}', PRESIGNED, "no URL of an S3 object"),
        (f'{{"get":"${{aws:iot:s3-presigned-url:{S3}/b}}"}}', PRESIGNED, "no URL of an S3 object"),
        ('{"get":"${aws:iot:s3-presigned-url:s3://b/k}"}', PRESIGNED, "no URL of an S3 object"),
        ("[1]", None, "not a JSON object"),
        ('{"a":NaN}', None, "not JSON"),
        ('{"a":-1e999}', None, "not JSON"),
        ('{"a":"\\ud800"}', None, "not JSON"),
        ('{"a":' * 5000 + "1" + "}" * 5000, None, "nested deeper than 100 levels"),
        ('{"a":' * 101 + "1" + "}" * 101, None, "deeper than 100"),
    ],
)
def test_a_document_that_no_device_could_use_is_refused(cloud: Cloud, document: str, config: Any, words: str) -> None:
    members = {} if config is None else {"presignedUrlConfig": config}

    with pytest.raises(InvalidRequest, match=words):
        cloud.create(document=document, **members)


def test_a_document_may_be_a_hundred_levels_deep(cloud: Cloud) -> None:
    cloud.create(document='{"a":' * 100 + "1" + "}" * 100)

    assert "a" in document_of(cloud)


def test_other_placeholders_are_refused_by_name(cloud: Cloud) -> None:
    with pytest.raises(NotImplementedYet, match="code-sign-signature"):
        cloud.create(document='{"sign":"${aws:iot:code-sign-signature:s3://eu.b/k@1}"}')


def test_a_document_is_read_from_s3_once(cloud: Cloud) -> None:
    url = f"{S3}/files/doc%201.json"
    cloud.objects.kept["files", "doc 1.json"] = b'{"do":"this"}'

    cloud.create(documentSource=url)
    cloud.objects.kept["files", "doc 1.json"] = b'{"do":"that"}'

    assert document_of(cloud) == {"do": "this"}
    described = cloud.store.run(cloud.api.describe_job, {"jobId": "j"}).response
    assert described["documentSource"] == url


@pytest.mark.parametrize(
    ("url", "data", "words"),
    [
        (f"{S3}/files/gone", None, "cannot be read"),
        (f"{S3}/missing/k", None, "bucket does not exist"),
        (f"{S3}/files/doc", b"\xff", "UTF-8"),
        (f"{S3}/files/doc", b"x" * 400_000, "cannot be read"),
        (f"{S3}/files/doc", b"{", "not JSON"),
        (f"{S3}/files/doc", b'{"a":"' + b"x" * 40_000 + b'"}', "longer than"),
        ("https://example.com/files/doc", b"{}", "no URL of an S3 object"),
    ],
)
def test_a_source_that_is_no_document_is_refused(cloud: Cloud, url: str, data: bytes | None, words: str) -> None:
    if data is not None:
        cloud.objects.kept["files", "doc"] = data

    with pytest.raises(InvalidRequest, match=words):
        cloud.create(documentSource=url)


def test_a_source_that_the_caller_may_not_read_is_refused_as_such(cloud: Cloud) -> None:
    with pytest.raises(AccessDenied):
        cloud.create(documentSource=f"{S3}/forbidden/k")


def test_a_document_and_a_source_are_refused_together(cloud: Cloud) -> None:
    cloud.objects.kept["files", "doc"] = b"{}"
    request = {"jobId": "j", "targets": ["t"], "document": "{}", "documentSource": f"{S3}/files/doc"}

    with pytest.raises(InvalidRequest, match="cannot be specified at the same time"):
        cloud.ask(cloud.api.create_job, {**request, "targets": ["arn:aws:iot:eu-central-1:123456789012:thing/T"]})


def test_the_role_of_a_job_is_changed_with_care(cloud: Cloud) -> None:
    cloud.create(document=LINKED, presignedUrlConfig=PRESIGNED)
    other = {"jobId": "j", "presignedUrlConfig": {"roleArn": "arn:aws:iam::123456789012:role/other"}}

    with pytest.raises(InvalidRequest, match="does not exist"):
        cloud.store.run(cloud.api.update_job, other)

    assert cloud.job()["presignedUrlConfig"] == PRESIGNED
