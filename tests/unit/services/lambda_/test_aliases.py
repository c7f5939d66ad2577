"""Aliases: names for versions, and for two with a weight."""

from typing import Any

import pytest

from hedgerow.services.lambda_.aliases.errors import (
    AliasConflict,
    AliasNotFound,
    AliasRevisionMismatch,
    AliasTargetNotFound,
    InvalidAlias,
)
from hedgerow.services.lambda_.aliases.model import Alias
from tests.support.lambda_ import Lambda, package
from tests.support.store import OTHER_ACCOUNT

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:f"


async def two_versions() -> Lambda:
    service = Lambda()
    await service.create(Publish=True)
    await service.flow(
        service.flows.update_function_code, {"FunctionName": "f", "ZipFile": package("z = 1\n"), "Publish": True}
    )
    return service


def create(service: Lambda, name: str = "live", version: str = "1", **more: Any) -> Any:
    request = {"FunctionName": "f", "Name": name, "FunctionVersion": version, **more}
    return service.store.run(service.aliases.create_alias, request).response


async def test_an_alias_is_made_read_changed_and_deleted() -> None:
    service = await two_versions()

    made = create(service, Description="d")
    key = {"FunctionName": "f", "Name": "live"}
    read = service.store.run(service.aliases.get_alias, key).response
    changed = service.store.run(service.aliases.update_alias, {**key, "FunctionVersion": "2"}).response
    service.store.run(service.aliases.delete_alias, key)

    assert made == read
    assert made["AliasArn"] == f"{ARN}:live"
    assert (changed["FunctionVersion"], changed["Description"]) == ("2", "d")
    assert changed["RevisionId"] != made["RevisionId"]
    with pytest.raises(AliasNotFound):
        service.store.run(service.aliases.get_alias, key)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"name": "12"}, InvalidAlias),
        ({"version": "9"}, AliasTargetNotFound),
        ({"version": "other"}, AliasTargetNotFound),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}}, InvalidAlias),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}, InvalidAlias),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"9": 0.5}}}, AliasTargetNotFound),
        ({"version": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}, InvalidAlias),
    ],
)
async def test_an_alias_that_cannot_be_is_refused(more: dict[str, Any], error: type[Exception]) -> None:
    service = await two_versions()

    with pytest.raises(error):
        create(service, **more)

    assert service.store.run(service.aliases.list_aliases, {"FunctionName": "f"}).response["Aliases"] == []


async def test_an_alias_is_made_once_and_changed_only_from_the_revision_that_was_seen() -> None:
    service = await two_versions()
    create(service)

    with pytest.raises(AliasConflict):
        create(service)
    with pytest.raises(AliasRevisionMismatch):
        service.store.run(service.aliases.update_alias, {"FunctionName": "f", "Name": "live", "RevisionId": "old"})


async def test_aliases_are_listed_page_by_page_and_by_version() -> None:
    service = await two_versions()
    for name, version in (("a", "1"), ("b", "2"), ("c", "1")):
        create(service, name, version)

    first = service.store.run(service.aliases.list_aliases, {"FunctionName": "f", "MaxItems": 2}).response
    second = service.store.run(
        service.aliases.list_aliases, {"FunctionName": "f", "MaxItems": 2, "Marker": first["NextMarker"]}
    ).response
    ones = service.store.run(service.aliases.list_aliases, {"FunctionName": "f", "FunctionVersion": "1"}).response

    assert [each["Name"] for each in first["Aliases"] + second["Aliases"]] == ["a", "b", "c"]
    assert "NextMarker" not in second
    assert [each["Name"] for each in ones["Aliases"]] == ["a", "c"]


async def test_accounts_have_aliases_of_their_own() -> None:
    service = await two_versions()
    create(service)
    await service.create(caller=OTHER_ACCOUNT)

    with pytest.raises(AliasNotFound):
        service.store.run(service.aliases.get_alias, {"FunctionName": "f", "Name": "live"}, OTHER_ACCOUNT)


@pytest.mark.parametrize(("chance", "expected"), [(0.0, "2"), (0.29, "2"), (0.3, "1"), (0.99, "1")])
def test_a_weight_decides_between_two_versions(chance: float, expected: str) -> None:
    alias = Alias(account="1", region="r", function="f", name="a", version="1", weights={"2": 0.3}, revision="x")

    assert alias.choose(chance) == expected
