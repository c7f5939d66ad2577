"""Flags win over the environment, the environment over the file; what is unknown or wrong is named."""

from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.cloud.hosts import certificate_names, in_url, is_loopback, local_host, reachable
from hedgerow.cloud.settings import CloudSettings, read_settings


def read(tmp_path: Path, toml: str = "", environment: dict[str, str] | None = None, **given: Any) -> CloudSettings:
    file = tmp_path / "hedgerow.toml"
    file.write_text(toml)
    return read_settings({"data": tmp_path, **given}, environment=environment or {}, file=file)


def test_a_flag_wins_over_the_environment_and_the_file(tmp_path: Path) -> None:
    settings = read(tmp_path, "api_port = 1", {"HEDGEROW_API_PORT": "2"}, api_port=3)

    assert settings.api_port == 3


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = read(tmp_path, "api_port = 1", {"HEDGEROW_API_PORT": "2"})

    assert settings.api_port == 2


def test_lists_come_from_the_file_and_with_commas_from_the_environment(tmp_path: Path) -> None:
    from_file = read(tmp_path, 'webhook_networks = ["10.0.0.0/8"]')
    from_environment = read(tmp_path, environment={"HEDGEROW_WEBHOOK_NETWORKS": "10.0.0.0/8, 127.0.0.0/8"})

    assert from_file.webhook_networks == ("10.0.0.0/8",)
    assert from_environment.webhook_networks == ("10.0.0.0/8", "127.0.0.0/8")


@pytest.mark.parametrize(
    ("toml", "environment", "said"),
    [
        ("api_prot = 1", {}, "api_prot"),
        ('api_port = "x"', {}, "api_port"),
        ("api_port = true", {}, "api_port"),
        ("api_port = ", {}, "cannot read the settings file"),
        ("", {"HEDGEROW_API_PORT": "many"}, "HEDGEROW_API_PORT"),
        ("", {"HEDGEROW_CONSOLE": "maybe"}, "HEDGEROW_CONSOLE"),
        ("api_port = 70000", {}, "--api-port"),
        ('webhook_networks = ["10.0.0.1/8"]', {}, "webhook_networks"),
        ('metrics_networks = ["10.0.0.1/8"]', {}, "metrics_networks"),
        ('proxy_networks = ["10.0.0.1/8"]', {}, "proxy_networks"),
        ('limits = "none"', {}, "--limits"),
        ('account = "1"', {}, "--account"),
        ('account = "١٢٣٤٥٦٧٨٩٠١٢"', {}, "--account"),
        ('region = "us:east"', {}, "--region"),
        ('region = "us-east-1 "', {}, "--region"),
        ('host = ["http://cloud.example"]', {}, "--host"),
        ('host = ["cloud.example", "a b"]', {}, "--host"),
        ('host = ["cloud.example:8883"]', {}, "--host"),
        ('host = [""]', {}, "--host"),
        ('bind = ""', {}, "--bind"),
        ('bind = "127.0.0.1"\nconsole_key = "key.pem"', {}, "console_certificate and console_key"),
        ('bind = "127.0.0.1"\nconsole_certificate = "a.pem"', {}, "console_certificate and console_key"),
        ('console_certificate = "a.pem"\nconsole_key = "key.pem"', {}, "console_certificate needs --bind"),
        ('bind = "127.0.0.1:8080"', {}, "--bind"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, toml: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(Unusable, match=said):
        read(tmp_path, toml, environment)


@pytest.mark.parametrize("host", ["::1", "192.0.2.1", "my_host", "a.b-c.example.", "pi.local", "xn--bcher-kva.de"])
def test_a_host_is_a_name_or_an_address(tmp_path: Path, host: str) -> None:
    assert read(tmp_path, f'host = ["{host}"]').host == (host,)


def test_the_data_folder_must_be_given() -> None:
    with pytest.raises(Unusable, match="--data"):
        read_settings({}, environment={})


def test_the_bound_address_stands_in_the_certificate_beside_the_hosts() -> None:
    assert certificate_names(("iot.example.org",), "10.0.0.5") == ("iot.example.org", "10.0.0.5")
    assert certificate_names(("iot.example.org",), None) == ("iot.example.org",)
    assert "localhost" in certificate_names((), None)


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        (None, "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("::1", "[::1]"),
        ("10.0.0.5", "10.0.0.5"),
        ("pi.local", "pi.local"),
    ],
)
def test_the_url_for_this_machine_has_a_host_that_the_certificate_names(bind: str | None, host: str) -> None:
    assert in_url(local_host(bind)) == host
    assert local_host(bind) in certificate_names((), bind)


@pytest.mark.parametrize(
    ("bind", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("pi.local", False)],
)
def test_what_is_on_loopback_is_for_this_machine_alone(bind: str, alone: bool) -> None:
    assert is_loopback(bind) is alone


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_every_address_is_no_name_for_a_certificate(bind: str) -> None:
    assert bind not in certificate_names((), bind)
    assert certificate_names(("iot.example.org",), bind)[0] == "iot.example.org"
    assert "127.0.0.1" in certificate_names(("iot.example.org",), bind)


def test_a_host_is_chosen_that_this_machine_can_resolve() -> None:
    assert reachable(("name.invalid", "127.0.0.1")) == "127.0.0.1"


def test_functions_of_another_user_need_root_and_a_folder_that_they_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Unusable, match="needs root"):
        read(tmp_path, functions_user="nobody")

    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(Unusable, match="functions_folder"):
        read(tmp_path, functions_user="nobody")


@pytest.mark.parametrize("place", ["models", "/nonexistent/models"])
def test_what_functions_may_read_is_there(tmp_path: Path, place: str) -> None:
    with pytest.raises(Unusable, match="functions_read must be absolute paths"):
        read(tmp_path, functions_read=(place,))

    assert read(tmp_path, functions_read=(str(tmp_path),)).functions_read == (str(tmp_path),)
