import pytest

from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.role_aliases import RoleAliasOperations, RoleAliasStore
from hedgerow.services.iot.role_aliases.errors import RoleAliasExists, RoleAliasNotFound, RoleUnusable
from hedgerow.store import Tx
from tests.support.registry import Registry

ROLE = "arn:aws:iam::123456789012:role/token-exchange"
OTHER_ROLE = "arn:aws:iam::123456789012:role/other"


class FakeRoles:
    def by_arn(self, tx: Tx, account: str, arn: str) -> object | None:
        return arn if arn in (ROLE, OTHER_ROLE) else None


@pytest.fixture
def aliases(registry: Registry) -> RoleAliasOperations:
    return RoleAliasOperations(role_aliases=RoleAliasStore(), roles=FakeRoles(), pages=registry.pages)


@pytest.mark.spec("BS-17")
def test_an_alias_lasts_an_hour_unless_said(registry: Registry, aliases: RoleAliasOperations) -> None:
    created = registry.store.run(aliases.create_role_alias, {"roleAlias": "tes", "roleArn": ROLE}).response

    described = registry.store.run(aliases.describe_role_alias, {"roleAlias": "tes"}).response
    assert created["roleAliasArn"] == "arn:aws:iot:eu-central-1:123456789012:rolealias/tes"
    assert described["roleAliasDescription"] == {
        "roleAlias": "tes",
        "roleAliasArn": created["roleAliasArn"],
        "roleArn": ROLE,
        "owner": "123456789012",
        "credentialDurationSeconds": 3600,
        "creationDate": registry.store.clock.now(),
        "lastModifiedDate": registry.store.clock.now(),
    }


def test_a_name_is_taken_once(registry: Registry, aliases: RoleAliasOperations) -> None:
    registry.store.run(aliases.create_role_alias, {"roleAlias": "tes", "roleArn": ROLE})

    with pytest.raises(RoleAliasExists):
        registry.store.run(aliases.create_role_alias, {"roleAlias": "tes", "roleArn": ROLE})


@pytest.mark.parametrize(
    "role",
    [
        "arn:aws:iam::123456789012:role/none",
        "arn:aws:iam::210987654321:role/token-exchange",
        "arn:aws:iam::123456789012:user/token-exchange",
        "no arn at all, none",
    ],
)
def test_a_role_that_is_not_there_is_refused(registry: Registry, aliases: RoleAliasOperations, role: str) -> None:
    with pytest.raises(RoleUnusable):
        registry.store.run(aliases.create_role_alias, {"roleAlias": "tes", "roleArn": role})


@pytest.mark.parametrize("seconds", [899, 43201])
def test_a_duration_out_of_bounds_is_refused(registry: Registry, aliases: RoleAliasOperations, seconds: int) -> None:
    with pytest.raises(InvalidRequest, match="from 900 to 43200"):
        registry.store.run(
            aliases.create_role_alias,
            {"roleAlias": "tes", "roleArn": ROLE, "credentialDurationSeconds": seconds},
        )


@pytest.mark.spec("JB-35")
def test_an_update_changes_what_is_given(registry: Registry, aliases: RoleAliasOperations) -> None:
    registry.store.run(aliases.create_role_alias, {"roleAlias": "tes", "roleArn": ROLE})

    registry.store.run(aliases.update_role_alias, {"roleAlias": "tes", "credentialDurationSeconds": 900})
    registry.store.run(aliases.update_role_alias, {"roleAlias": "tes", "roleArn": OTHER_ROLE})

    described = registry.store.run(aliases.describe_role_alias, {"roleAlias": "tes"}).response["roleAliasDescription"]
    assert (described["roleArn"], described["credentialDurationSeconds"]) == (OTHER_ROLE, 900)


def test_a_deleted_alias_is_gone(registry: Registry, aliases: RoleAliasOperations) -> None:
    registry.store.run(aliases.create_role_alias, {"roleAlias": "tes", "roleArn": ROLE})

    registry.store.run(aliases.delete_role_alias, {"roleAlias": "tes"})

    with pytest.raises(RoleAliasNotFound):
        registry.store.run(aliases.describe_role_alias, {"roleAlias": "tes"})
    assert registry.store.run(aliases.list_role_aliases).response == {"roleAliases": []}
