"""Tags of users, roles and policies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iam.errors import InvalidInput, LimitExceeded, NoSuchEntity
from hedgerow.services.iam.tags import MOST_TAGS, tagged, untagged
from tests.support.iam import READ_S3, TRUST_ACCOUNT, Iam
from tests.support.store import CALLER, OTHER_ACCOUNT

READ = "arn:aws:iam::123456789012:policy/read"
KEYS = st.dictionaries(st.text("aAbB", min_size=1, max_size=3), st.text(max_size=3), max_size=5)


def shown(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    iam.run(iam.users.create_user, {"UserName": "ann", "Tags": shown(team="ops", Site="north")})
    iam.run(iam.roles.create_role, {"RoleName": "r", "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    iam.run(iam.policies.create_policy, {"PolicyName": "read", "PolicyDocument": READ_S3, "Tags": shown(a="1")})
    return iam


def test_tags_of_a_user_are_listed_page_by_page(iam: Iam) -> None:
    first = iam.run(iam.users.list_user_tags, {"UserName": "ann", "MaxItems": 1}).response
    second = iam.run(iam.users.list_user_tags, {"UserName": "ann", "Marker": first["Marker"]}).response

    assert (first["Tags"], first["IsTruncated"]) == (shown(Site="north"), True)
    assert (second["Tags"], second["IsTruncated"]) == (shown(team="ops"), False)


def test_case_does_not_tell_keys_apart(iam: Iam) -> None:
    ann = {"UserName": "ann"}
    iam.run(iam.users.tag_user, {**ann, "Tags": shown(site="south")})
    changed = iam.run(iam.users.list_user_tags, ann).response["Tags"]
    iam.run(iam.users.untag_user, {**ann, "TagKeys": ["SITE", "absent"]})

    assert changed == shown(site="south", team="ops")
    assert iam.run(iam.users.get_user, ann).response["User"]["Tags"] == shown(team="ops")


def test_a_change_of_tags_concerns_the_rights_of_the_user(iam: Iam) -> None:
    answer = iam.run(iam.users.tag_user, {"UserName": "ann", "Tags": shown(a="b")})

    ann = frozenset({"arn:aws:iam::123456789012:user/ann"})
    assert answer.events == (AuthorisationChanged(account=CALLER.account, principals=ann),)


@pytest.mark.parametrize(
    ("tags", "error", "match"),
    [
        ([{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}], InvalidInput, "Duplicate tag keys"),
        (shown(**{"aws:x": "1"}), InvalidInput, "reserved"),
        (shown(**{f"k{n}": "" for n in range(MOST_TAGS - 1)}), LimitExceeded, "TagsPerUser: 50"),
    ],
)
def test_tags_that_cannot_be_are_refused_and_change_nothing(
    iam: Iam, tags: list[dict[str, str]], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        iam.run(iam.users.tag_user, {"UserName": "ann", "Tags": tags})
    assert len(iam.run(iam.users.list_user_tags, {"UserName": "ann"}).response["Tags"]) == 2


def test_roles_have_a_quota_of_tags_too(iam: Iam) -> None:
    iam.run(iam.roles.tag_role, {"RoleName": "r", "Tags": shown(**{f"k{n}": "" for n in range(50)})})

    with pytest.raises(LimitExceeded, match="TagsPerRole"):
        iam.run(iam.roles.tag_role, {"RoleName": "r", "Tags": shown(one="more")})


def test_policies_are_tagged_and_untagged(iam: Iam) -> None:
    iam.run(iam.policies.tag_policy, {"PolicyArn": READ, "Tags": shown(b="2")})
    iam.run(iam.policies.untag_policy, {"PolicyArn": READ, "TagKeys": ["a"]})

    assert iam.run(iam.policies.list_policy_tags, {"PolicyArn": READ}).response["Tags"] == shown(b="2")
    assert iam.run(iam.policies.get_policy, {"PolicyArn": READ}).response["Policy"]["Tags"] == shown(b="2")


def test_what_aws_made_cannot_be_tagged(iam: Iam) -> None:
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"

    with pytest.raises(InvalidInput, match="AWS managed policy"):
        iam.run(iam.policies.tag_policy, {"PolicyArn": admin, "Tags": shown(b="2")})
    assert iam.run(iam.policies.list_policy_tags, {"PolicyArn": admin}).response["Tags"] == []


def test_another_accounts_policy_and_user_are_not_there(iam: Iam) -> None:
    with pytest.raises(NoSuchEntity):
        iam.run(iam.policies.tag_policy, {"PolicyArn": READ, "Tags": shown(b="2")}, OTHER_ACCOUNT)
    with pytest.raises(NoSuchEntity):
        iam.run(iam.users.tag_user, {"UserName": "ann", "Tags": shown(b="2")}, OTHER_ACCOUNT)


@given(KEYS, KEYS)
def test_what_is_tagged_and_untagged_again_leaves_the_others(own: dict[str, str], new: dict[str, str]) -> None:
    own, new = tagged({}, untagged(own, ()), "q") if _plain(own) else {}, new if _plain(new) else {}

    both = tagged(own, new, "q")

    assert {key: both[key] for key in new} == new
    assert untagged(both, new) == untagged(own, new)


def _plain(tags: dict[str, str]) -> bool:
    return len({key.lower() for key in tags}) == len(tags)
