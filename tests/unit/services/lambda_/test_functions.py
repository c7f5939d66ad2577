"""Functions and versions as the Lambda API has them."""

import base64
import hashlib
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.services.lambda_.functions.errors import (
    FunctionConflict,
    FunctionNotFound,
    InvalidParameter,
    RevisionMismatch,
)
from hedgerow.services.lambda_.functions.model import read_name
from tests.support.lambda_ import ROLE, Lambda, package
from tests.support.store import OTHER_ACCOUNT

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:f"


@pytest.fixture
def service() -> Lambda:
    return Lambda()


@pytest.mark.spec("DR-35")
async def test_a_new_function_is_described_as_aws_describes_it(service: Lambda) -> None:
    answer = await service.create(Environment={"Variables": {"AB": "1"}}, Tags={"k": "v"})

    revision = answer["RevisionId"]
    assert answer == {
        "FunctionName": "f",
        "FunctionArn": ARN,
        "Runtime": "python3.11",
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": len(package()),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "LastModified": "2027-01-15T08:00:00.000+0000",
        "CodeSha256": base64.b64encode(hashlib.sha256(package()).digest()).decode(),
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": revision,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
        "Environment": {"Variables": {"AB": "1"}},
    }


async def test_a_function_that_this_host_cannot_run_says_so_in_its_state(service: Lambda) -> None:
    service.workers.hint = "this host cannot run nodejs20.x; it has python3.11"

    answer = await service.create(Runtime="nodejs20.x")

    assert (answer["State"], answer["StateReason"]) == ("Active", service.workers.hint)


async def test_the_first_version_can_be_published_at_once(service: Lambda) -> None:
    answer = await service.create(Publish=True)

    assert (answer["Version"], answer["FunctionArn"]) == ("1", f"{ARN}:1")


@pytest.mark.spec("DR-33")
async def test_code_can_come_from_a_bucket(service: Lambda) -> None:
    service.objects.kept["123456789012", "b", "k.zip"] = package("x = 1\n")

    answer = await service.create(Code={"S3Bucket": "b", "S3Key": "k.zip"})

    assert answer["CodeSha256"] == base64.b64encode(hashlib.sha256(package("x = 1\n")).digest()).decode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Code": {"ZipFile": b"nothing"}}, "Could not unzip uploaded file"),
        ({"Code": {}}, "Please provide a source"),
        ({"Code": {"S3Bucket": "b", "S3Key": "missing"}}, "NoSuchKey"),
        ({"Role": "arn:aws:iam::123456789012:role/other"}, "cannot be assumed by Lambda"),
        ({"Runtime": "cobol"}, "no such runtime"),
        ({"Handler": ""}, "Handler is required"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys"),
        ({"Environment": {"Variables": {"1A": "x"}}}, "environment variable"),
        ({"Environment": {"Variables": {"AB": "x" * 5000}}}, "4KB"),
        ({"FunctionName": "f:1"}, "no qualifier"),
    ],
)
@pytest.mark.spec("KO-13")
async def test_what_does_not_fit_is_refused_and_makes_no_function(
    service: Lambda, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidParameter, match=message):
        await service.create(**changes)

    assert service.store.run(service.functions.list_functions).response["Functions"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"VpcConfig": {"SubnetIds": ["subnet-1"]}},
        {"Layers": ["arn:aws:lambda:eu-central-1:1:layer:l:1"]},
        {"TracingConfig": {"Mode": "Active"}},
        {"PackageType": "Image"},
        {"EphemeralStorage": {"Size": 1024}},
        {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:::q"}},
        {"LoggingConfig": {"LogFormat": "JSON"}},
        {"Code": {"ZipFile": package(), "SourceKMSKeyArn": "k"}},
    ],
)
async def test_what_is_not_honoured_is_refused_before_anything_is_made(
    service: Lambda, changes: dict[str, Any]
) -> None:
    with pytest.raises(ServiceError, match="not honoured") as refusal:
        await service.create(**changes)

    assert refusal.value.code == "NotImplementedException"
    assert service.store.run(service.functions.list_functions).response["Functions"] == []
    assert service.blobs.kept == {}


async def test_members_that_ask_for_the_default_are_accepted(service: Lambda) -> None:
    answer = await service.create(
        PackageType="Zip",
        TracingConfig={"Mode": "PassThrough"},
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        EphemeralStorage={"Size": 512},
        Layers=[],
    )

    assert answer["State"] == "Active"


async def test_a_name_is_taken_once_in_each_account(service: Lambda) -> None:
    await service.create()
    await service.create(caller=OTHER_ACCOUNT)

    with pytest.raises(FunctionConflict, match="Function already exist: f"):
        await service.create()


async def test_a_function_of_another_account_is_not_there(service: Lambda) -> None:
    await service.create()

    for name in ("f", ARN, "123456789012:function:f"):
        with pytest.raises(FunctionNotFound):
            service.store.run(service.functions.get_function_configuration, {"FunctionName": name}, OTHER_ACCOUNT)


@pytest.mark.parametrize(
    ("text", "qualifier", "expected"),
    [
        ("f", None, ("f", "")),
        ("f:7", None, ("f", "7")),
        ("123456789012:function:f", None, ("f", "")),
        ("123456789012:function:f:live", None, ("f", "live")),
        ("function:f", None, ("f", "")),
        (ARN, "2", ("f", "2")),
        (f"{ARN}:$LATEST", "$LATEST", ("f", "$LATEST")),
    ],
)
def test_every_form_of_a_name_is_read(text: str, qualifier: str | None, expected: tuple[str, str]) -> None:
    named = read_name(text, "123456789012", "eu-central-1", qualifier)

    assert (named.name, named.qualifier) == expected


@pytest.mark.parametrize(
    ("text", "qualifier"), [("f:1", "2"), ("a b", None), ("f:x y", None), ("arn:aws:s3:::f", None)]
)
def test_a_name_that_cannot_be_one_is_refused(text: str, qualifier: str | None) -> None:
    with pytest.raises(InvalidParameter):
        read_name(text, "123456789012", "eu-central-1", qualifier)


@pytest.mark.spec("JB-80")
async def test_a_version_stays_what_it_is_when_latest_changes(service: Lambda) -> None:
    await service.create()
    first = service.store.run(service.functions.publish_version, {"FunctionName": "f"}).response

    await service.flow(service.flows.update_function_code, {"FunctionName": "f", "ZipFile": package("y = 2\n")})
    kept = service.store.run(
        service.functions.get_function_configuration, {"FunctionName": "f", "Qualifier": "1"}
    ).response

    assert first["Version"] == "1"
    assert kept["CodeSha256"] == first["CodeSha256"]
    assert kept["FunctionArn"] == f"{ARN}:1"


async def test_publishing_without_a_change_answers_the_same_version(service: Lambda) -> None:
    await service.create()

    def publish(**more: str) -> Any:
        return service.store.run(service.functions.publish_version, {"FunctionName": "f", **more}).response

    numbers = [publish()["Version"], publish(Description="other words")["Version"]]
    service.store.run(service.functions.update_function_configuration, {"FunctionName": "f", "Timeout": 9})
    changed = publish()

    assert numbers == ["1", "1"]
    assert (changed["Version"], changed["Timeout"]) == ("2", 9)


@pytest.mark.spec("JB-80")
async def test_a_version_number_is_never_used_again(service: Lambda) -> None:
    await service.create(Publish=True)
    service.store.run(service.functions.delete_function, {"FunctionName": "f", "Qualifier": "1"})

    again = service.store.run(service.functions.publish_version, {"FunctionName": "f"}).response

    assert again["Version"] == "2"


async def test_a_stale_revision_or_digest_changes_nothing(service: Lambda) -> None:
    await service.create()

    with pytest.raises(RevisionMismatch):
        service.store.run(
            service.functions.update_function_configuration, {"FunctionName": "f", "RevisionId": "old", "Timeout": 9}
        )
    with pytest.raises(InvalidParameter, match="CodeSHA256"):
        service.store.run(service.functions.publish_version, {"FunctionName": "f", "CodeSha256": "x"})

    assert (
        service.store.run(service.functions.get_function_configuration, {"FunctionName": "f"}).response["Timeout"] == 3
    )


async def test_code_that_is_only_tried_is_not_taken(service: Lambda) -> None:
    before = await service.create()

    await service.flow(
        service.flows.update_function_code, {"FunctionName": "f", "ZipFile": package("y = 2\n"), "DryRun": True}
    )

    after = service.store.run(service.functions.get_function_configuration, {"FunctionName": "f"}).response
    assert after == before


async def test_functions_and_versions_are_listed_page_by_page(service: Lambda) -> None:
    for name in ("a", "b", "c"):
        await service.create(name, Publish=True)

    def pages(**more: Any) -> list[tuple[str, str]]:
        found, marker = [], None
        while True:
            request = {"MaxItems": 2, **more, **({"Marker": marker} if marker else {})}
            answer = service.store.run(service.functions.list_functions, request).response
            found += [(each["FunctionName"], each["Version"]) for each in answer["Functions"]]
            marker = answer.get("NextMarker")
            if marker is None:
                return found

    versions = service.store.run(service.functions.list_versions_by_function, {"FunctionName": "a"}).response[
        "Versions"
    ]

    assert pages() == [("a", "$LATEST"), ("b", "$LATEST"), ("c", "$LATEST")]
    assert pages(FunctionVersion="ALL") == [(name, version) for name in "abc" for version in ("$LATEST", "1")]
    assert [each["FunctionArn"].rpartition(":")[2] for each in versions] == ["$LATEST", "1"]


async def test_a_forged_marker_is_refused(service: Lambda) -> None:
    with pytest.raises(InvalidParameter):
        service.store.run(service.functions.list_functions, {"Marker": "forged"})


@pytest.mark.spec("DR-33")
async def test_a_function_is_shown_with_its_package_and_tags(service: Lambda) -> None:
    created = await service.create(Tags={"k": "v"})
    service.store.run(service.functions.tag_resource, {"Resource": ARN, "Tags": {"l": "w"}})
    service.store.run(service.functions.untag_resource, {"Resource": ARN, "TagKeys": ["k"]})

    answer = await service.flow(service.flows.get_function, {"FunctionName": "f"})

    digest = base64.b64decode(created["CodeSha256"]).hex()
    assert answer["Configuration"] == created
    assert answer["Code"] == {"RepositoryType": "S3", "Location": f"https://code/{digest}"}
    assert answer["Tags"] == {"l": "w"}


async def test_a_deleted_function_takes_its_versions_aliases_and_permissions_along(service: Lambda) -> None:
    await service.create(Publish=True)
    alias = {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"}
    service.store.run(service.aliases.create_alias, alias)
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "iot.amazonaws.com"}
    service.store.run(service.permissions.add_permission, {"FunctionName": "f", **permission})

    service.store.run(service.functions.delete_function, {"FunctionName": "f"})
    await service.create()

    with service.store.tx() as tx:
        assert service.reader.version(tx, "123456789012", f"{ARN}:1") is None
        assert service.reader.version(tx, "123456789012", f"{ARN}:live") is None
    with pytest.raises(ServiceError, match="No policy is found"):
        service.store.run(service.permissions.get_policy, {"FunctionName": "f"})


async def test_latest_and_versions_with_an_alias_are_not_deleted(service: Lambda) -> None:
    await service.create(Publish=True)
    service.store.run(service.aliases.create_alias, {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})

    with pytest.raises(InvalidParameter, match="LATEST"):
        service.store.run(service.functions.delete_function, {"FunctionName": "f", "Qualifier": "$LATEST"})
    with pytest.raises(FunctionConflict, match="alias live"):
        service.store.run(service.functions.delete_function, {"FunctionName": "f", "Qualifier": "1"})


async def test_a_reader_follows_names_versions_and_aliases(service: Lambda) -> None:
    await service.create(Publish=True)
    service.store.run(service.aliases.create_alias, {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})

    with service.store.tx() as tx:
        found = [service.reader.version(tx, "123456789012", each) for each in ("f", f"{ARN}:1", f"{ARN}:live", "g")]

    assert [each.version if each else None for each in found] == ["$LATEST", "1", "1", None]


async def test_the_blobs_that_versions_name_are_known_by_account(service: Lambda) -> None:
    created = await service.create(Publish=True)

    with service.store.tx() as tx:
        assert service.reader.digests(tx, "123456789012") == {base64.b64decode(created["CodeSha256"]).hex()}
        assert service.reader.digests(tx, OTHER_ACCOUNT.account) == set()
