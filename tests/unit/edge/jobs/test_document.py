import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.edge.jobs.document import Document, NotUnderstood, command_of, read
from hedgerow.services.iot.jobs.managed_templates import MANAGED, ManagedTemplate


def steps(*actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "1.0", "steps": [{"action": action} for action in actions], **more}


def handler(**more: Any) -> dict[str, Any]:
    return {"name": "install", "type": "runHandler", "input": {"handler": "install.sh", "args": ["a"]}, **more}


def test_steps_are_read_in_order_and_the_final_one_comes_last() -> None:
    document = read(
        steps(
            handler(runAsUser="root", allowStdErr=3),
            {"type": "runCommand", "input": {"command": "echo,hello\\, world"}, "ignoreStepFailure": "true"},
            finalStep={"action": {"name": "again", "type": "reboot"}},
            includeStdOut=True,
        )
    )

    first, second, last = document.steps
    assert (first.name, first.kind, first.user, first.most_error_lines) == ("install", "runHandler", "root", 3)
    assert first.input == {"handler": "install.sh", "args": ["a"]}
    assert (second.name, second.input, second.may_fail) == ("runCommand", {"command": ["echo", "hello, world"]}, True)
    assert (last.name, last.kind) == ("again", "reboot")
    assert document.with_output


@pytest.mark.parametrize("template", MANAGED.values(), ids=lambda one: one.name)
def test_a_document_of_each_managed_template_is_understood(template: ManagedTemplate) -> None:
    needed = {one.key: one.example for one in template.parameters if not one.optional}

    (step,) = read(json.loads(template.filled(needed))).steps

    assert step.kind in ("runHandler", "runCommand")
    assert step.input.get("path", "") == ""


def test_the_older_form_is_one_handler() -> None:
    document = read({"operation": "reboot.sh", "args": ["now"], "path": "/opt/jobs", "includeStdOut": "true"})

    (step,) = document.steps
    assert step.kind == "runHandler"
    assert step.input == {"handler": "reboot.sh", "args": ["now"], "path": "/opt/jobs"}
    assert document.with_output


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("text", "the document must be an object"),
        ({}, "steps must be a list"),
        ({"steps": []}, "steps must have 1 to 100 entries, not 0"),
        (steps(handler(), version="2.0"), "version '2.0' is not known"),
        (steps(handler(), retries=2), "the document has members that this edge does not know: retries"),
        ({"steps": [{}]}, "steps[0].action must be an object"),
        (steps({"type": "format"}), "steps[0].action.type 'format' is not known"),
        (steps({"type": "runHandler"}), "steps[0].action.input.handler must be a text"),
        (steps(handler(timeout=3)), "steps[0].action has members that this edge does not know: timeout"),
        (steps(handler(allowStdErr="few")), "steps[0].action.allowStdErr must be a number of lines"),
        (steps(handler(allowStdErr="\u00b2")), "steps[0].action.allowStdErr must be a number of lines"),
        (steps(handler(ignoreStepFailure="maybe")), "steps[0].action.ignoreStepFailure must be true or false"),
        (steps({"type": "runCommand", "input": {"command": 3}}), "steps[0].action.input.command must be a text"),
        (steps({"type": "collectLogs", "input": {"uploadUrl": "http://x"}}), "must begin with https://"),
        (steps(handler(), conditions=[{"key": "os", "value": ["linux"], "type": "regex"}]), "conditions[0].type"),
        (steps(handler(), finalStep={"action": {"type": "no"}}), "finalStep.action.type 'no' is not known"),
    ],
)
def test_what_is_not_understood_is_named(document: Any, words: str) -> None:
    with pytest.raises(NotUnderstood) as refusal:
        read(document)

    assert words in str(refusal.value)


def test_a_condition_that_does_not_hold_is_named() -> None:
    document = read(steps(handler(), conditions=[{"key": "os", "value": ["windows", "darwin"], "type": "stringEqual"}]))

    assert document.unmet({"os": "darwin"}) is None
    assert document.unmet({"os": "linux"}) == "the job is for devices whose os is windows or darwin; here it is linux"
    assert document.unmet({"cpu": "x"}) == "a condition asks for os; this edge knows cpu"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["version", "steps", "action", "type", "input", "handler", "args", "operation", "command", "finalStep"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_document_or_a_refusal(value: Any) -> None:
    try:
        found: Document | str = read(json.loads(json.dumps(value)))
    except NotUnderstood as refusal:
        found = str(refusal)

    assert found if isinstance(found, str) else found.steps


@given(
    st.lists(st.text(st.characters(exclude_characters="\\\0", exclude_categories=["Cs"])).map(str.strip), min_size=1)
)
def test_a_command_is_split_where_it_was_joined(words: list[str]) -> None:
    assert command_of(",".join(word.replace(",", "\\,") for word in words)) == words
