import base64
import json
from typing import Any

import pytest
import yaml

from hedgerow.base.errors import ServiceError
from hedgerow.core.recipe import StepName, parse_recipe
from tests.support.fleet import DIGEST, FUNCTION_ARN, FleetBench, recipe
from tests.support.store import CALLER, OTHER_ACCOUNT

ARN = f"arn:aws:greengrass:{CALLER.region}:{CALLER.account}:components:"
LINUX = {"name": "linux", "attributes": {"os": "linux", "architecture": "amd64"}}
SHA256 = base64.b64encode(bytes.fromhex(DIGEST)).decode()


@pytest.fixture
def bench() -> FleetBench:
    return FleetBench()


def resolve(bench: FleetBench, name: str, requirements: dict[str, str], **members: Any) -> Any:
    candidate = {"componentName": name, "versionRequirements": requirements, **members}
    response = bench.greengrass("ResolveComponentCandidates", platform=LINUX, componentCandidates=[candidate])
    (resolved,) = response["resolvedComponentVersions"]
    return resolved


def with_artifact(bench: FleetBench, name: str = "com.x", version: str = "1.0.0") -> Any:
    bench.add_object("bucket", "dir/app.zip")
    manifest = {"Platform": {"os": "linux"}, "Artifacts": [{"URI": "s3://bucket/dir/app.zip", "Digest": "mine"}]}
    return bench.component(name, version, Manifests=[manifest])


def test_a_recipe_becomes_a_deployable_component(bench: FleetBench) -> None:
    answer = bench.component("com.x", "1.0.0", ComponentPublisher="me", ComponentDescription="d")

    described = bench.greengrass("DescribeComponent", arn=answer["arn"])
    assert answer["arn"] == f"{ARN}com.x:versions:1.0.0"
    assert answer["status"]["componentState"] == "DEPLOYABLE"
    assert (described["publisher"], described["description"]) == ("me", "d")
    assert described["platforms"] == [{"attributes": {"os": "linux"}}]


def test_the_cloud_fills_in_the_digest_and_rewrites_the_uri_for_devices(bench: FleetBench) -> None:
    arn = with_artifact(bench)["arn"]

    stored = json.loads(bench.greengrass("GetComponent", arn=arn)["recipe"])
    resolved = json.loads(resolve(bench, "com.x", {"thinggroup/G": "=1.0.0"})["recipe"])

    assert stored["Manifests"][0]["Artifacts"] == [
        {"Uri": "s3://bucket/dir/app.zip", "Digest": SHA256, "Algorithm": "SHA-256"}
    ]
    assert resolved["Manifests"][0]["Artifacts"][0]["Uri"] == f"greengrass:{DIGEST}/app.zip"


@pytest.mark.parametrize("name", [f"{DIGEST}/app.zip", "app.zip"])
def test_an_artifact_is_fetched_by_a_link(bench: FleetBench, name: str) -> None:
    arn = with_artifact(bench)["arn"]

    answer = bench.greengrass("GetComponentVersionArtifact", arn=arn, artifactName=name, s3EndpointType="GLOBAL")

    assert answer["preSignedUrl"] == f"https://s3.example/{CALLER.account}/{DIGEST}/app.zip?size=7"


def test_the_artifact_stays_as_it_was_when_the_object_changes(bench: FleetBench) -> None:
    arn = with_artifact(bench)["arn"]
    bench.add_object("bucket", "dir/app.zip", "cd" * 32)

    answer = bench.greengrass("GetComponentVersionArtifact", arn=arn, artifactName="app.zip")

    assert DIGEST in answer["preSignedUrl"]


def test_a_yaml_recipe_comes_back_as_json_and_as_yaml(bench: FleetBench) -> None:
    text = yaml.safe_dump(recipe("com.x", "1.0.0")).encode()
    arn = bench.greengrass("CreateComponentVersion", inlineRecipe=text)["arn"]

    as_json = bench.greengrass("GetComponent", arn=arn)["recipe"]
    as_yaml = bench.greengrass("GetComponent", arn=arn, recipeOutputFormat="YAML")["recipe"]

    assert json.loads(as_json) == yaml.safe_load(as_yaml) == recipe("com.x", "1.0.0")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"inlineRecipe": b"{"}, "no JSON"),
        ({"inlineRecipe": json.dumps(recipe("com.x", "1.0")).encode()}, "semantic version"),
        ({"inlineRecipe": json.dumps(recipe("com.x", "1.0.0", Colour="red")).encode()}, "Colour"),
        ({}, "Exactly one"),
        ({"lambdaFunction": {"lambdaArn": FUNCTION_ARN}}, "published version"),
        ({"lambdaFunction": {"lambdaArn": f"{FUNCTION_ARN}:9"}}, "does not exist"),
        ({"lambdaFunction": {"lambdaArn": f"{FUNCTION_ARN}:1", "componentVersion": "1"}}, "semantic version"),
    ],
)
def test_what_makes_no_component_is_refused(bench: FleetBench, members: dict[str, Any], words: str) -> None:
    with pytest.raises(ServiceError, match=words) as caught:
        bench.greengrass("CreateComponentVersion", **members)

    assert caught.value.code == "ValidationException"


@pytest.mark.parametrize("uri", ["s3://bucket/none.zip", "s3://bucket", "greengrass:x.zip", "file:///etc/passwd"])
def test_an_artifact_that_is_no_object_of_the_account_is_refused(bench: FleetBench, uri: str) -> None:
    bench.add_object("bucket", "none.zip", caller=OTHER_ACCOUNT)

    with pytest.raises(ServiceError) as caught:
        bench.component("com.x", "1.0.0", Manifests=[{"Artifacts": [{"URI": uri}]}])

    assert caught.value.code == "ValidationException"


def test_a_version_does_not_change_but_the_same_call_may_come_twice(bench: FleetBench) -> None:
    text = json.dumps(recipe("com.x", "1.0.0")).encode()
    first = bench.greengrass("CreateComponentVersion", inlineRecipe=text, clientToken="t")
    bench.store.clock.advance(5)

    again = bench.greengrass("CreateComponentVersion", inlineRecipe=text, clientToken="t")
    with pytest.raises(ServiceError) as caught:
        bench.greengrass("CreateComponentVersion", inlineRecipe=text)

    assert again == first
    assert caught.value.code == "ConflictException"


def test_a_lambda_version_becomes_a_component_with_its_zip(bench: FleetBench) -> None:
    answer = bench.greengrass(
        "CreateComponentVersion",
        lambdaFunction={
            "lambdaArn": f"{FUNCTION_ARN}:2",
            "componentLambdaParameters": {
                "eventSources": [{"topic": "a/b", "type": "IOT_CORE"}],
                "environmentVariables": {"B": "2"},
                "timeoutInSeconds": 9,
                "linuxProcessParams": {"isolationMode": "NoContainer"},
            },
        },
    )

    made = parse_recipe(resolve(bench, "monitor", {"thing/T": "=2.0.0"})["recipe"])
    selected = made.maybe_selected({"os": "linux"})
    assert (answer["componentName"], answer["componentVersion"]) == ("monitor", "2.0.0")
    assert (made.type.value, made.source) == ("aws.greengrass.lambda", f"{FUNCTION_ARN}:2")
    assert made.defaults["lambdaExecutionParameters"] == {"EnvironmentVariables": {"A": "1", "B": "2"}}
    assert made.defaults["pubsubTopics"] == {"0": {"topic": "a/b", "type": "IOT_CORE"}}
    assert (made.defaults["timeoutInSeconds"], made.defaults["containerMode"]) == (9, "NoContainer")
    assert selected is not None
    assert selected.lifecycle.environment["AWS_GREENGRASS_LAMBDA_FUNCTION_HANDLER"] == "app.handler"
    assert selected.lifecycle.environment["AWS_GREENGRASS_LAMBDA_RUNTIME"] == "python3.11"
    assert selected.lifecycle.steps[StepName.STARTUP].requires_privilege
    assert [(one.uri, one.unarchive) for one in made.artifacts] == [
        (f"greengrass:{'2' * 64}/lambda-artifact.zip", "ZIP")
    ]
    assert made.artifacts[0].digest == base64.b64encode(b"\x22" * 32).decode()


def test_everything_that_a_lambda_component_needs_can_be_resolved(bench: FleetBench) -> None:
    bench.greengrass("CreateComponentVersion", lambdaFunction={"lambdaArn": f"{FUNCTION_ARN}:1"})
    made = parse_recipe(resolve(bench, "monitor", {})["recipe"])

    found = {
        name: resolve(bench, name, {"monitor": str(dependency.requirement)})["componentVersion"]
        for name, dependency in made.dependencies.items()
    }

    assert found["aws.greengrass.TokenExchangeService"] == "2.0.3"
    assert set(found) == {
        "aws.greengrass.LambdaLauncher",
        "aws.greengrass.LambdaRuntimes",
        "aws.greengrass.TokenExchangeService",
    }


def test_a_stub_says_what_amazons_nucleus_would_need(bench: FleetBench) -> None:
    assert "Amazon's own component" in resolve(bench, "aws.greengrass.LambdaLauncher", {})["message"]


def test_the_newest_version_that_everybody_allows_is_chosen(bench: FleetBench) -> None:
    for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0"):
        bench.component("com.x", version)

    chosen = resolve(bench, "com.x", {"thinggroup/G": "^1.0.0", "com.y": "<1.10.0"})

    assert (chosen["componentVersion"], chosen["arn"]) == ("1.2.0", f"{ARN}com.x:versions:1.2.0")


def test_the_version_that_the_device_has_is_kept_where_it_will_do(bench: FleetBench) -> None:
    for version in ("1.0.0", "1.2.0"):
        bench.component("com.x", version)

    kept = resolve(bench, "com.x", {"com.y": "^1.0.0"}, componentVersion="1.0.0")
    replaced = resolve(bench, "com.x", {"com.y": "^1.1.0"}, componentVersion="1.0.0")

    assert (kept["componentVersion"], replaced["componentVersion"]) == ("1.0.0", "1.2.0")


def test_a_private_component_comes_before_the_public_one_of_its_name(bench: FleetBench) -> None:
    bench.component("aws.greengrass.LambdaLauncher", "2.0.1")

    assert resolve(bench, "aws.greengrass.LambdaLauncher", {"x": "^2.0.0"})["componentVersion"] == "2.0.1"


@pytest.mark.parametrize(
    ("name", "requirements", "words"),
    [
        ("com.x", {"thing/T": "^2.0.0"}, "no usable version"),
        ("com.none", {}, "no usable version"),
        ("com.windows", {}, "claim platform"),
    ],
)
def test_what_cannot_be_resolved_says_why_in_the_words_that_the_nucleus_looks_for(
    bench: FleetBench, name: str, requirements: dict[str, str], words: str
) -> None:
    bench.component("com.x", "1.0.0")
    bench.component("com.windows", "1.0.0", Manifests=[{"Platform": {"os": "windows"}}])

    with pytest.raises(ServiceError, match=words) as caught:
        resolve(bench, name, requirements)

    assert caught.value.code == "ResourceNotFoundException"


def test_components_and_versions_are_listed_newest_first_page_by_page(bench: FleetBench) -> None:
    for name, version in (("a", "1.0.0"), ("a", "1.10.0"), ("a", "1.9.0"), ("b", "1.0.0")):
        bench.component(name, version)

    first = bench.greengrass("ListComponents", maxResults=1)
    second = bench.greengrass("ListComponents", maxResults=1, nextToken=first["nextToken"])
    versions = bench.greengrass("ListComponentVersions", arn=f"{ARN}a", maxResults=2)
    rest = bench.greengrass("ListComponentVersions", arn=f"{ARN}a", maxResults=2, nextToken=versions["nextToken"])
    public = bench.greengrass("ListComponents", scope="PUBLIC")["components"]

    assert [one["latestVersion"]["componentVersion"] for one in first["components"]] == ["1.10.0"]
    assert [one["componentName"] for one in second["components"]] == ["b"]
    assert [one["componentVersion"] for one in versions["componentVersions"]] == ["1.10.0", "1.9.0"]
    assert [one["componentVersion"] for one in rest["componentVersions"]] == ["1.0.0"]
    assert "nextToken" not in rest
    assert "aws.greengrass.TokenExchangeService" in [one["componentName"] for one in public]


def test_a_deleted_version_is_gone(bench: FleetBench) -> None:
    arn = bench.component("com.x", "1.0.0")["arn"]

    bench.greengrass("DeleteComponent", arn=arn)

    with pytest.raises(ServiceError) as caught:
        bench.greengrass("GetComponent", arn=arn)
    assert caught.value.code == "ResourceNotFoundException"


def test_two_accounts_with_the_same_names_do_not_meet(bench: FleetBench) -> None:
    bench.component("com.x", "1.0.0", ComponentDescription="mine")
    theirs = bench.component("com.x", "1.0.0", OTHER_ACCOUNT, ComponentDescription="theirs")

    mine = bench.greengrass("DescribeComponent", arn=f"{ARN}com.x:versions:1.0.0")

    assert mine["description"] == "mine"
    with pytest.raises(ServiceError, match="not of account"):
        bench.greengrass("GetComponent", arn=theirs["arn"])
