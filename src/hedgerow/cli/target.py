"""Which cloud a command talks to: a data folder's ready file, or the environment that `hedgerow cloud env` set."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hedgerow.base.errors import Unusable

READY = "ready.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Everything that a stranger would know of a cloud."""

    api_url: str
    region: str
    access_key_id: str
    secret_access_key: str
    session_token: str | None
    ca_file: str | None
    mqtt_port: int | None
    https_port: int | None

    def client(self, service: str) -> Any:
        """Answer a boto3 client."""
        import boto3

        make: Any = boto3.Session().client  # not the default session: it may be older than what `teach_boto3` says
        return make(
            service,
            endpoint_url=self.api_url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            aws_session_token=self.session_token,
            verify=self.ca_file if self.api_url.startswith("https:") else None,
        )


def read_ready(data: Path) -> dict[str, Any]:
    """Answer the ready file of a data folder; raise Unusable when there is none."""
    try:
        content: dict[str, Any] = json.loads((data / READY).read_text("utf-8"))
    except FileNotFoundError as error:
        raise Unusable(
            f"no cloud has been started in {data}: start one with: hedgerow cloud up --data {data}"
        ) from error
    except (OSError, ValueError) as error:
        raise Unusable(f"cannot read {data / READY}: {error}") from error
    return content


def target(data: Path | None, environment: Mapping[str, str] = os.environ) -> Target:
    """Answer the cloud of a data folder when one is given, else the one in the environment."""
    if data is not None:
        ready = read_ready(data)
        return Target(
            api_url=ready["api_url"],
            region=ready["region"],
            access_key_id=ready["access_key_id"],
            secret_access_key=ready["secret_access_key"],
            session_token=None,
            ca_file=ready["ca_file"],
            mqtt_port=ready["mqtt_port"],
            https_port=ready["https_port"],
        )
    try:
        return Target(
            api_url=_url(environment["AWS_ENDPOINT_URL"]),
            region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or environment["AWS_REGION"],
            access_key_id=environment["AWS_ACCESS_KEY_ID"],
            secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            session_token=environment.get("AWS_SESSION_TOKEN"),
            ca_file=environment.get("HEDGEROW_CA_FILE"),
            mqtt_port=_maybe_port(environment, "HEDGEROW_MQTT_PORT"),
            https_port=_maybe_port(environment, "HEDGEROW_HTTPS_PORT"),
        )
    except KeyError as error:
        raise Unusable(
            f"{error.args[0]} is not set: name the cloud with --data DIR, or run "
            'eval "$(hedgerow cloud env --data DIR)"'
        ) from error


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Unusable(f"AWS_ENDPOINT_URL is {text!r}, which is no URL like http://127.0.0.1:8080")
    return text


def _maybe_port(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name)
    if text is not None and not (text.isascii() and text.isdigit()):
        raise Unusable(f"{name} is {text!r}, which is no port")
    return None if text is None else int(text)


def teach_boto3() -> None:
    """Let boto3 know the service `hedgerow`, beside what it was told of already."""
    os.environ["AWS_DATA_PATH"] = data_path(os.environ)


def data_path(environment: Mapping[str, str]) -> str:
    """Answer where the AWS tools look for services: where they do anyhow, and where `hedgerow` is."""
    known = [folder for folder in environment.get("AWS_DATA_PATH", "").split(os.pathsep) if folder]
    own = str(files("hedgerow") / "core" / "wire" / "models")
    return os.pathsep.join(known if own in known else [*known, own])
