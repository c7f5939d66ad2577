"""What commands say to what cannot be right: one line and exit status 2."""

import sys

import pytest

from hedgerow.cli.main import run
from hedgerow.cli.mqtt import _FILTER

CLOUD = {
    "AWS_ENDPOINT_URL": "https://127.0.0.1:9",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
}
WRONG = [
    (["mqtt", "sub", "a/#/b"], {}, "'a/#/b' is no topic filter"),
    (["mqtt", "sub", "a+"], {}, "'a+' is no topic filter"),
    (["mqtt", "pub", "a/+/b", "x"], {}, "'a/+/b' is no topic"),
    (["mqtt", "pub", "", "x"], {}, "'' is no topic"),
    (["mqtt", "pub", "a", "x"], {"HEDGEROW_CA_FILE": "/nowhere/ca.pem"}, "cannot connect to https://127.0.0.1:9"),
    (["device", "create", "x"], {"HEDGEROW_CA_FILE": "/nowhere/ca.pem"}, "cannot read /nowhere/ca.pem, the cloud's CA"),
    (["device", "provision", "x"], {}, "HEDGEROW_CA_FILE is not set"),
    (["device", "create", "x"], {"HEDGEROW_CA_FILE": "/dev/null"}, "the cloud does not answer"),
    (["vending", "deny", ".."], {}, "a serial number has 1 to 128 letters"),
    (["vending", "approve", "4711/..", "--template", "t"], {}, "a serial number has 1 to 128 letters"),
    (["vending", "forget", ""], {}, "a serial number has 1 to 128 letters"),
    (["job", "watch", "j"], {"AWS_ENDPOINT_URL": "nonsense"}, "AWS_ENDPOINT_URL is 'nonsense'"),
    (["job", "watch", "j"], {"AWS_ENDPOINT_URL": "http://[::1"}, "AWS_ENDPOINT_URL is 'http://[::1'"),
    (["job", "watch", "j"], {"HEDGEROW_MQTT_PORT": "many"}, "HEDGEROW_MQTT_PORT is 'many'"),
]


@pytest.mark.parametrize("text", ["#", "+", "a", "/", "a/+/b/#", "+/+", "$share/g/a/#", "a//b", "a\nb"])
def test_filters_are_known(text: str) -> None:
    assert _FILTER.fullmatch(text)


@pytest.mark.parametrize("text", ["", "#/a", "a/#/b", "a#", "+a", "a/b+", "##"])
def test_what_is_no_filter_is_known(text: str) -> None:
    assert not _FILTER.fullmatch(text)


@pytest.mark.parametrize(("arguments", "environment", "said"), WRONG)
def test_what_cannot_be_right_is_said_in_one_line(
    arguments: list[str],
    environment: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {**CLOUD, **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["hedgerow", *arguments])

    with pytest.raises(SystemExit) as ended:
        run()

    error = capsys.readouterr().err
    assert (ended.value.code, error.startswith("hedgerow: "), error.count("\n")) == (2, True, 1)
    assert said in error
