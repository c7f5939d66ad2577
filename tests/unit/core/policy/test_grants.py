"""Decisions: the sheets' examples, variables, conditions, who wins, and the sentence that explains it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.policy import Context, Dialect, Reason, compile_policies

IOT = "arn:aws:iot:eu-central-1:123456789012:"


def policy(*statements: dict[str, Any], version: str | None = "2012-10-17") -> str:
    document: dict[str, Any] = {"Statement": list(statements)}
    return json.dumps(document | ({"Version": version} if version else {}))


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def reason(
    statements: list[dict[str, Any]],
    action: str,
    resource: str,
    variables: Context | None = None,
    context: Context | None = None,
) -> Reason:
    grants = compile_policies([policy(*statements)], dialect=Dialect.IOT, variables=variables or {})
    return grants.decide(action, resource, context or {}).reason


@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("topic/a/b", "topic/a/b", True),
        ("topic/a/b", "topic/A/b", False),
        ("topic/a/*", "topic/a/b/c", True),
        ("topic/a/*", "topic/a/", True),
        ("topic/a/*/c", "topic/a/x/y/c", True),
        ("topic/a/*/c", "topic/a/c", False),
        ("topic/a/?", "topic/a/b", True),
        ("topic/a/?", "topic/a/bc", False),
        ("topic/*b*d", "topic/abcd", True),
        ("topic/a/#", "topic/a/b", False),
        ("topic/a/#", "topic/a/#", True),
        ("topicfilter/a/+/b", "topicfilter/a/+/b", True),
        ("topicfilter/a/+/b", "topicfilter/a/x/b", False),
        ("topicfilter/a/*", "topicfilter/a/#", True),
        ("topic/a\nb*c", "topic/a\nb\nc", True),
    ],
)
def test_resources_match_as_the_sheet_says(pattern: str, resource: str, expected: bool) -> None:
    found = reason([allow("iot:Publish", IOT + pattern)], "iot:Publish", IOT + resource)

    assert (found is Reason.ALLOWED) is expected


@pytest.mark.parametrize("action", ["iot:publish", "IOT:PUBLISH", "iot:Publish"])
def test_actions_match_in_any_letter_case(action: str) -> None:
    assert reason([allow("iot:Publish", "*")], action, IOT + "topic/a") is Reason.ALLOWED


def test_actions_have_wildcards_and_not_action_excludes() -> None:
    statements = [{"Effect": "Allow", "NotAction": "iot:Delete*", "Resource": "*"}]

    assert reason(statements, "iot:Publish", "*") is Reason.ALLOWED
    assert reason(statements, "iot:DeleteThing", "*") is Reason.IMPLICIT_DENY


def test_job_actions_may_have_their_old_prefix() -> None:
    statements = [allow("iot:DescribeJobExecution", "*")]

    assert reason(statements, "iotjobsdata:DescribeJobExecution", "*") is Reason.ALLOWED
    assert reason(statements, "iotjobsdata:UpdateJobExecution", "*") is Reason.IMPLICIT_DENY


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("iot:*", Reason.ALLOWED),
        ("iot:Describe*", Reason.ALLOWED),
        ("iot:*JobExecution", Reason.ALLOWED),
        ("iot:?escribeJobExecution", Reason.ALLOWED),
        ("iot:Get*", Reason.IMPLICIT_DENY),
        ("iot:DescribeThing*", Reason.IMPLICIT_DENY),
    ],
)
def test_wildcards_cover_job_actions_of_the_old_prefix(action: str, expected: Reason) -> None:
    assert reason([allow(action, "*")], "iotjobsdata:DescribeJobExecution", "*") is expected


def test_a_denial_of_everything_of_iot_is_one_of_jobs_too() -> None:
    statements = [allow("*", "*"), deny("iot:*", IOT + "thing/a")]

    assert reason(statements, "iotjobsdata:UpdateJobExecution", IOT + "thing/a") is Reason.EXPLICIT_DENY
    assert reason(statements, "iotjobsdata:UpdateJobExecution", IOT + "thing/b") is Reason.ALLOWED


def test_not_resource_allows_everything_else() -> None:
    statements = [{"Effect": "Allow", "Action": "iot:*", "NotResource": IOT + "topic/secret/*"}]

    assert reason(statements, "iot:Publish", IOT + "topic/open") is Reason.ALLOWED
    assert reason(statements, "iot:Publish", IOT + "topic/secret/x") is Reason.IMPLICIT_DENY


@pytest.mark.spec("JB-40")
def test_an_explicit_deny_wins_over_an_allow_in_another_document() -> None:
    documents = [policy(allow("iot:*", "*")), policy(deny("iot:Publish", IOT + "topic/a"))]

    grants = compile_policies(documents, dialect=Dialect.IOT)

    assert grants.decide("iot:Publish", IOT + "topic/a").reason is Reason.EXPLICIT_DENY
    assert grants.decide("iot:Publish", IOT + "topic/b").allowed


@pytest.mark.spec("JB-40", "BS-18")
def test_a_policy_for_the_own_thing_allows_that_client_id_and_no_other() -> None:
    grants = compile_policies(
        [policy(allow("iot:Connect", IOT + "client/${iot:Connection.Thing.ThingName}"))],
        dialect=Dialect.IOT,
        variables={"iot:Connection.Thing.ThingName": "pump-1"},
    )

    assert grants.decide("iot:Connect", IOT + "client/pump-1").allowed
    assert not grants.decide("iot:Connect", IOT + "client/pump-2").allowed


def test_a_variable_without_value_matches_nothing_neither_for_allow_nor_for_deny() -> None:
    resource = IOT + "topic/${iot:Connection.Thing.ThingName}/x"
    statements = [allow("iot:Publish", resource), deny("iot:Connect", resource), allow("iot:Connect", "*")]

    assert reason(statements, "iot:Publish", IOT + "topic//x") is Reason.IMPLICIT_DENY
    assert reason(statements, "iot:Publish", resource) is Reason.IMPLICIT_DENY
    assert reason(statements, "iot:Connect", resource) is Reason.ALLOWED


def test_an_unknown_variable_in_not_resource_gives_no_right_and_keeps_a_deny() -> None:
    resource = IOT + "topic/${iot:ClientId}"
    allowing = {"Effect": "Allow", "Action": "iot:Publish", "NotResource": resource}
    denying = {"Effect": "Deny", "Action": "iot:Publish", "NotResource": resource}

    assert reason([allowing], "iot:Publish", IOT + "topic/x") is Reason.IMPLICIT_DENY
    assert reason([denying, allow("iot:*", "*")], "iot:Publish", IOT + "topic/x") is Reason.EXPLICIT_DENY


def test_a_wildcard_in_a_client_id_is_a_plain_character() -> None:
    statements = [allow("iot:Subscribe", IOT + "topicfilter/my/${iot:ClientId}/topic")]

    assert reason(statements, "iot:Subscribe", IOT + "topicfilter/my/+/topic", {"iot:ClientId": "+"}) is Reason.ALLOWED
    assert reason(statements, "iot:Subscribe", IOT + "topicfilter/my/x/topic", {"iot:ClientId": "*"}) is (
        Reason.IMPLICIT_DENY
    )


@pytest.mark.parametrize("value", ["a*", "a$", "+", "?", "a#b", "x" * 1025])
def test_a_certificate_value_that_could_be_a_pattern_is_not_put_in(value: str) -> None:
    statements = [allow("iot:Publish", IOT + "topic/${iot:Certificate.Subject.CommonName}")]
    variables = {"iot:Certificate.Subject.CommonName": value}

    assert reason(statements, "iot:Publish", IOT + f"topic/{value}", variables) is Reason.IMPLICIT_DENY


def test_the_escapes_stand_for_the_characters_themselves() -> None:
    statements = [allow("iot:Publish", IOT + "topic/${*}/${?}/${$}")]

    assert reason(statements, "iot:Publish", IOT + "topic/*/?/$") is Reason.ALLOWED
    assert reason(statements, "iot:Publish", IOT + "topic/a/b/$") is Reason.IMPLICIT_DENY


def test_attributes_and_further_certificate_values_are_variables() -> None:
    resource = IOT + "topic/${iot:Connection.Thing.Attributes[site]}/${iot:Certificate.Subject.OrganizationalUnit.1}"
    variables = {
        "iot:Connection.Thing.Attributes[site]": "north",
        "iot:Certificate.Subject.OrganizationalUnit": "first",
        "iot:Certificate.Subject.OrganizationalUnit.1": "second",
    }

    found = reason([allow("iot:Publish", resource)], "iot:Publish", IOT + "topic/north/second", variables)

    assert found is Reason.ALLOWED


def test_list_holds_all_values_of_a_certificate_attribute() -> None:
    condition = {"ForAnyValue:StringEquals": {"iot:Certificate.Subject.OrganizationalUnit.List": "second"}}
    variables = {
        "iot:Certificate.Subject.OrganizationalUnit": "first",
        "iot:Certificate.Subject.OrganizationalUnit.1": "second",
    }

    found = reason([allow("iot:*", "*", Condition=condition)], "iot:Publish", "*", variables)

    assert found is Reason.ALLOWED


def test_variables_are_plain_text_in_the_version_of_2008() -> None:
    document = policy(allow("iot:Publish", IOT + "topic/${iot:ClientId}"), version=None)

    grants = compile_policies([document], dialect=Dialect.IOT, variables={"iot:ClientId": "a"})

    assert not grants.decide("iot:Publish", IOT + "topic/a").allowed


def test_a_default_is_used_where_a_variable_has_no_value() -> None:
    document = policy(allow("s3:GetObject", "arn:aws:s3:::b/${aws:PrincipalTag/team, 'all'}/*"))
    grants = compile_policies([document], dialect=Dialect.IAM)

    assert grants.decide("s3:GetObject", "arn:aws:s3:::b/all/x").allowed
    assert grants.decide("s3:GetObject", "arn:aws:s3:::b/red/x", {"aws:PrincipalTag/team": "red"}).allowed
    assert not grants.decide("s3:GetObject", "arn:aws:s3:::b/all/x", {"aws:PrincipalTag/team": "red"}).allowed


def test_a_decision_that_looked_at_a_changing_condition_is_not_cacheable() -> None:
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    documents = [policy(allow("iot:Publish", "*", Condition=condition), allow("iot:Connect", "*"))]
    loose = compile_policies(documents, dialect=Dialect.IOT)
    fixed = compile_policies(documents, dialect=Dialect.IOT, variables={"aws:SourceIp": "10.1.1.1"})

    assert not loose.decide("iot:Publish", "*", {"aws:SourceIp": "10.1.1.1"}).cacheable
    assert loose.decide("iot:Publish", "*", {"aws:SourceIp": "10.1.1.1"}).allowed
    assert loose.decide("iot:Connect", "*").cacheable
    assert fixed.decide("iot:Publish", "*").cacheable
    assert fixed.decide("iot:Publish", "*").allowed
    assert loose.context_keys == {"aws:SourceIp"}
    assert fixed.context_keys == frozenset()


def test_a_condition_on_a_fixed_value_that_fails_removes_the_statement() -> None:
    condition = {"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}}
    grants = compile_policies(
        [policy(allow("iot:Connect", "*", Condition=condition))],
        dialect=Dialect.IOT,
        variables={"iot:Connection.Thing.IsAttached": "false"},
    )

    decision = grants.decide("iot:Connect", "*")

    assert not decision.allowed
    assert decision.cacheable
    assert "the condition Bool on iot:Connection.Thing.IsAttached does not hold" in decision.explain()


def test_explanations_name_the_statement_or_what_is_missing() -> None:
    document = policy(
        allow("iot:Publish", IOT + "topic/a", Sid="Own"),
        deny("iot:Publish", IOT + "topic/b"),
        allow("iot:Receive", IOT + "topic/${iot:ClientId}"),
    )
    grants = compile_policies([document], dialect=Dialect.IOT, names=["radio"])

    sentences = [
        grants.decide("iot:Publish", IOT + "topic/a").explain(),
        grants.decide("iot:Publish", IOT + "topic/b").explain(),
        grants.decide("iot:Publish", IOT + "topic/c").explain(),
        grants.decide("iot:Receive", IOT + "topic/c").explain(),
        grants.decide("iot:Connect", IOT + "client/c").explain(),
    ]

    assert sentences == [
        f"iot:Publish on {IOT}topic/a is allowed by statement 1 (Own) of radio",
        f"iot:Publish on {IOT}topic/b is denied by statement 2 of radio",
        f"no statement allows iot:Publish on {IOT}topic/c; statement 1 (Own) of radio allows it on only {IOT}topic/a",
        f"no statement allows iot:Receive on {IOT}topic/c; "
        "in statement 3 of radio the variable iot:ClientId has no value here",
        f"no statement allows iot:Connect on {IOT}client/c",
    ]


def test_a_hundred_wildcards_do_not_stall_the_reader() -> None:
    statements = [allow("iot:Publish", IOT + "topic/" + "a*" * 100 + "b")]

    assert reason(statements, "iot:Publish", IOT + "topic/" + "a" * 20_000) is Reason.IMPLICIT_DENY


ACTIONS = st.sampled_from(["iot:Publish", "iot:Connect", "iot:*", "*", "iot:P?blish"])
RESOURCES = st.lists(st.sampled_from(["a", "b", "/", "*", "?", "${iot:ClientId}", "#"]), max_size=6).map(
    lambda parts: IOT + "topic/" + "".join(parts)
)
CONDITIONS = st.sampled_from([{}, {"Condition": {"StringEquals": {"k": "v"}}}, {"Condition": {"Null": {"k": "true"}}}])
STATEMENTS = st.builds(
    lambda effect, action, resource, condition: {
        "Effect": effect,
        "Action": action,
        "Resource": resource,
        **condition,
    },
    st.sampled_from(["Allow", "Deny"]),
    ACTIONS,
    RESOURCES,
    CONDITIONS,
)
QUESTIONS = st.tuples(
    st.sampled_from(["iot:Publish", "iot:Connect"]),
    st.text(alphabet="ab/#*", max_size=5).map(lambda text: IOT + "topic/" + text),
    st.sampled_from([{}, {"k": "v"}, {"k": "w"}]),
)


@given(st.lists(STATEMENTS, min_size=1, max_size=4), QUESTIONS)
def test_an_explicit_deny_always_wins(
    statements: list[dict[str, Any]], question: tuple[str, str, dict[str, str]]
) -> None:
    action, resource, context = question
    denies = [s for s in statements if s["Effect"] == "Deny"]

    found = reason(statements, action, resource, {"iot:ClientId": "a"}, context)
    denied = denies and reason(denies, action, resource, {"iot:ClientId": "a"}, context) is Reason.EXPLICIT_DENY

    assert (found is Reason.EXPLICIT_DENY) is bool(denied)


@given(st.lists(STATEMENTS, min_size=1, max_size=4), STATEMENTS, QUESTIONS)
def test_adding_an_allow_never_removes_a_right(
    statements: list[dict[str, Any]], more: dict[str, Any], question: tuple[str, str, dict[str, str]]
) -> None:
    action, resource, context = question

    before = reason(statements, action, resource, {"iot:ClientId": "a"}, context)
    after = reason([*statements, {**more, "Effect": "Allow"}], action, resource, {"iot:ClientId": "a"}, context)

    assert before is not Reason.ALLOWED or after is Reason.ALLOWED
    assert before is not Reason.EXPLICIT_DENY or after is Reason.EXPLICIT_DENY


def naive(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return naive(pattern[1:], text) or bool(text and naive(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and naive(pattern[1:], text[1:])


@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab", max_size=8))
def test_wildcards_agree_with_the_obvious_matcher(pattern: str, text: str) -> None:
    found = reason([allow("iot:Publish", IOT + "topic/" + pattern)], "iot:Publish", IOT + "topic/" + text)

    assert (found is Reason.ALLOWED) is naive(pattern, text)


@given(st.lists(STATEMENTS, min_size=1, max_size=4), QUESTIONS, st.sampled_from([{}, {"k": "v"}, {"k": "w"}]))
def test_what_may_be_remembered_is_the_same_in_every_context(
    statements: list[dict[str, Any]], question: tuple[str, str, dict[str, str]], other: dict[str, str]
) -> None:
    action, resource, context = question
    grants = compile_policies([policy(*statements)], dialect=Dialect.IOT, variables={"iot:ClientId": "a"})

    first, second = grants.decide(action, resource, context), grants.decide(action, resource, other)

    assert not first.cacheable or first.reason is second.reason


WORDS = {
    Reason.ALLOWED: "is allowed by statement",
    Reason.EXPLICIT_DENY: "is denied by statement",
    Reason.IMPLICIT_DENY: "no statement allows",
}


@given(st.lists(STATEMENTS, min_size=1, max_size=4), QUESTIONS)
def test_every_decision_is_explained_as_it_was_made(
    statements: list[dict[str, Any]], question: tuple[str, str, dict[str, str]]
) -> None:
    grants = compile_policies([policy(*statements)], dialect=Dialect.IOT)

    decision = grants.decide(*question)

    assert WORDS[decision.reason] in decision.explain()


def test_an_explanation_has_its_parts() -> None:
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    document = policy(
        allow("iot:Publish", IOT + "topic/a", Sid="Own"),
        allow("iot:Receive", IOT + "topic/${iot:ClientId}"),
        allow("iot:Connect", "*", Condition=condition),
    )
    grants = compile_policies([document], dialect=Dialect.IOT, names=["radio"])

    allowed = grants.decide("iot:Publish", IOT + "topic/a").explanation()
    unknown = grants.decide("iot:Receive", IOT + "topic/c").explanation()
    nowhere = grants.decide("iot:Connect", IOT + "client/c").explanation()
    elsewhere = grants.decide("iot:Connect", IOT + "client/c", {"aws:SourceIp": "192.0.2.1"}).explanation()

    assert (allowed.policy, allowed.statement, allowed.sid, allowed.missing) == ("radio", 1, "Own", None)
    assert (unknown.statement, unknown.missing) == (2, "iot:ClientId")
    assert (nowhere.statement, nowhere.missing) == (3, "aws:SourceIp")
    assert nowhere.sentence.endswith("does not hold: aws:SourceIp has no value here")
    assert (elsewhere.statement, elsewhere.missing) == (3, None)
