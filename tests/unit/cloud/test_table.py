"""The whole table of operations against the models: what a row asks for exists, and no role is handed on freely."""

import asyncio
import base64
import string
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from hedgerow.api import OWN_MODELS, ModelFiles, Row, botocore_models
from hedgerow.cloud.build import build
from hedgerow.cloud.settings import CloudSettings
from hedgerow.core.wire import Catalogue
from hedgerow.core.wire.model import Shape

pytestmark = pytest.mark.slow
CATALOGUE = Catalogue(ModelFiles([OWN_MODELS, botocore_models()]))
ROLES = ("rolearn", "iamrolearn", "executionrolearn", "role")
# members that hold a role which nobody acts in for the caller: they are only shown, compared, or taken with a right
NOT_PASSED = {
    ("sts", "AssumeRole", "RoleArn"),  # assuming is not passing
    ("sts", "AssumeRoleWithWebIdentity", "RoleArn"),
    ("greengrass", "AssociateRoleToGroup", "RoleArn"),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], Row]:
    async def read() -> Mapping[tuple[str, str], Row]:
        settings = CloudSettings(
            data=tmp_path_factory.mktemp("cloud") / "data",
            bind="127.0.0.1",
            api_port=0,
            mqtt_port=0,
            https_port=0,
            console=False,
        )
        async with build(settings, {"HEDGEROW_MASTER_KEY": base64.b64encode(bytes(32)).decode()}) as cloud:
            return cloud.operations

    return asyncio.run(read())


def members(service: str, operation: str) -> Shape | None:
    model = CATALOGUE.model(service)
    assert model is not None, f"there is no model of {service}"
    found = model.operation(operation)
    assert found is not None, f"{service} has no operation {operation}"
    return found.input


def named(template: str) -> Iterator[set[str]]:
    """Answer the members that a template names, alternatives together."""
    for _, name, form, _ in string.Formatter().parse(template):
        one = (name or form or "").removeprefix("/")
        if one and one not in ("region", "account"):
            yield {each.partition(".")[0] for each in one.split("|")}


def test_every_template_names_members_of_the_input(rows: Mapping[tuple[str, str], Row]) -> None:
    unknown = []
    for (service, operation), row in rows.items():
        shape = members(service, operation)
        known = set(shape.members) if shape else set()
        for template in (row.resource, *(also.resource for also in row.also)):
            unknown += [(service, operation, names) for names in named(template) if not names & known]

    assert unknown == []


def roles(shape: Shape, path: tuple[str, ...] = (), seen: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Answer where an input may hold the ARN of a role."""
    if shape.name in seen:
        return
    for name, member in shape.members.items():
        below: Any = member.shape
        while below.type in ("list", "map"):
            below = (below.member or below.value).shape
        if below.type == "string" and name.lower().endswith(ROLES):
            yield (*path, name)
        yield from roles(below, (*path, name), (*seen, shape.name))


def test_who_hands_a_role_to_a_service_is_asked_for_the_right(rows: Mapping[tuple[str, str], Row]) -> None:
    free = []
    for (service, operation), row in rows.items():
        shape = members(service, operation)
        passed = [also.resource.strip("{}") for also in row.also if also.action == "iam:PassRole"]
        for path in roles(shape) if shape else ():
            where = ".".join(path)
            if (service, operation, where) in NOT_PASSED or any(_covers(each, path) for each in passed):
                continue
            free.append(f"{service}:{operation} {where}")

    assert sorted(free) == []


def _covers(template: str, path: tuple[str, ...]) -> bool:
    parts = template.split(".")
    return parts == list(path) or ("**" in parts and parts[0] == path[0] and parts[-1] == path[-1])
