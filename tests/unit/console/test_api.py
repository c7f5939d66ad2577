"""What becomes of the cloud's answers and refusals. Clients of botocore, answers by hand, no network."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from hedgerow.api import OWN_MODELS
from hedgerow.console.api import Api
from hedgerow.console.calls import Cloud
from hedgerow.console.errors import CloudUnreachable, NotThere, Refused, SessionOver
from tests.unit.console.fakes import PERSON

URL = "https://127.0.0.1:1"


class Scripted(Api):
    """Answers each call with the next of a list; keeps what was asked."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(Cloud(api_url=URL, region="us-east-1", ca_file=None, models=OWN_MODELS), PERSON)
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def _client(self, service: str) -> Any:
        client = super()._client(service)
        client.meta.events.register("before-call.*.*", self._answer)
        return client

    def _answer(self, model: Any, params: Any, **_: Any) -> Any:
        self.asked.append((model.name, params))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return type("Http", (), {"status_code": 200})(), answer


def refused(code: str, words: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": words}}, "Any")


def test_every_page_is_read() -> None:
    api = Scripted(
        {"things": [{"thingName": "a", "attributes": {"k": "v"}}], "nextToken": "more"},
        {"things": [{"thingName": "b", "thingTypeName": "radio"}]},
    )

    assert api.things() == ([("a", "", {"k": "v"}), ("b", "radio", {})], True)
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    ("cause", "expected", "words"),
    [
        (refused("AccessDeniedException", "User: x may not"), Refused, "User: x may not"),
        (refused("ExpiredTokenException", "over"), SessionOver, "over"),
        (refused("NotImplementedException", "use y instead"), Refused, "use y instead"),
        (EndpointConnectionError(endpoint_url=URL), CloudUnreachable, f"The cloud's API at {URL} cannot be reached."),
        (ParamValidationError(report="bad"), Refused, "Parameter validation failed"),
    ],
)
def test_failures_are_told_apart(cause: Exception, expected: type[Exception], words: str) -> None:
    with pytest.raises(expected, match=words.split("(")[0]):
        Scripted(cause).things()


def test_a_client_that_was_never_seen_is_offline() -> None:
    assert Scripted(refused("ResourceNotFoundException", "no")).connection("t") == (False, None)


def test_times_are_seconds_however_they_are_told() -> None:
    told = {"connected": True, "connectedSince": 1_800_000_000_500}

    assert Scripted(told).connection("t") == (True, 1_800_000_000.5)


def test_a_core_that_was_deleted_is_none() -> None:
    assert Scripted(refused("ResourceNotFoundException", "no")).core("t") is None


def test_a_log_that_does_not_exist_yet_is_empty() -> None:
    assert Scripted(refused("ResourceNotFoundException", "no")).log_events("g", since=0) == []


def test_points_are_told_by_metric_and_only_the_newest_when_asked() -> None:
    times = [datetime.fromtimestamp(second, UTC) for second in (10, 20)]
    answer = {"MetricDataResults": [{"Id": "m1", "Timestamps": times, "Values": [1.0, 2.0]}]}
    wanted = [("N", "a"), ("N", "b")]

    all_points = Scripted(answer).metrics(wanted, start=0, end=30, period=10)
    newest = Scripted(answer).metrics(wanted, start=0, end=30, period=10, newest=True)

    assert all_points == {("N", "b"): [(10.0, 1.0), (20.0, 2.0)]}
    assert newest == {("N", "b"): [(20.0, 2.0)]}


def test_a_link_that_is_not_valid_is_not_there() -> None:
    class Nobody(Cloud):
        def client(self, session: Any, service: str, *, signed: bool = True) -> Any:
            def redeem(**_: Any) -> Any:
                raise refused("ResourceNotFoundException", "not valid any more")

            assert not signed
            return type("Client", (), {"redeem_console_sign_in": staticmethod(redeem)})()

    with pytest.raises(NotThere):
        Nobody(api_url=URL, region="us-east-1", ca_file=None, models=None).redeem("x")
