"""Operators' commands that stay connected: what they say when they may not, and that they come back."""

import sys
import time
from pathlib import Path

import pytest

from hedgerow.cli.main import run
from hedgerow.cli.mqtt import signed_client
from hedgerow.cli.target import target
from hedgerow.testing import TestCloud
from tests.support.people import allow, key_of, user
from tests.support.running import started
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]


def test_whoever_may_not_subscribe_is_told_so(
    hedgerow_cloud: TestCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, secret = key_of(user(hedgerow_cloud, "ann", allow("iot:Connect")))
    environment = {
        "AWS_ENDPOINT_URL": hedgerow_cloud.process.ready["api_url"],
        "AWS_REGION": hedgerow_cloud.region,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["hedgerow", "shadow", "watch", "lamp"])

    with pytest.raises(SystemExit) as ended:
        run()

    assert ended.value.code == 2
    topic = "$aws/things/lamp/shadow/update/documents"
    assert capsys.readouterr().err.startswith(f"hedgerow: the subscription to {topic} was refused")


def test_whoever_may_not_connect_is_told_so_instead_of_waiting(
    hedgerow_cloud: TestCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key, secret = key_of(user(hedgerow_cloud, "eve"))
    environment = {
        "AWS_ENDPOINT_URL": hedgerow_cloud.process.ready["api_url"],
        "AWS_REGION": hedgerow_cloud.region,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["hedgerow", "mqtt", "sub", "a"])

    with pytest.raises(SystemExit) as ended:
        run()

    assert ended.value.code == 2
    assert "iot:Connect" in capsys.readouterr().err


def test_a_connection_that_was_lost_is_signed_anew(tmp_path: Path) -> None:
    with started(tmp_path) as cloud:
        client = signed_client(target(cloud.data), expires_s=2)
        signed_at = time.monotonic()
        ups: list[int] = []
        client.on_connect = lambda *_: ups.append(1)
        client.reconnect_delay_set(1, 1)
        client.loop_start()
        try:
            until("the first connection", lambda: ups)
            cloud.kill()
            until("the signature is too old", lambda: time.monotonic() - signed_at > 3)
            cloud.start()
            until("the second connection", lambda: len(ups) > 1)
        finally:
            client.disconnect()
            client.loop_stop()
