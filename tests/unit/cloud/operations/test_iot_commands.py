"""What policies may know of the parameters of a command."""

from typing import Any

import pytest

from hedgerow.cloud.operations.iot_commands import said_of_parameters


def test_each_parameter_is_a_key_of_its_kind() -> None:
    given = {"a": {"S": "x"}, "b": {"B": True}, "c": {"I": 1}, "d": {"D": 0.5}, "e": {"UL": "7"}, "f": {"BIN": b"x"}}

    assert said_of_parameters({"parameters": given}) == {
        "iot:CommandExecutionParameterString/a": "x",
        "iot:CommandExecutionParameterBoolean/b": "true",
        "iot:CommandExecutionParameterNumber/c": "1",
        "iot:CommandExecutionParameterNumber/d": "0.5",
        "iot:CommandExecutionParameterNumber/e": "7",
    }


@pytest.mark.parametrize("parameters", [None, [], "x", {"a": 1}, {"a": {}}])
def test_what_is_no_parameter_says_nothing(parameters: Any) -> None:
    assert said_of_parameters({"parameters": parameters}) == {}
