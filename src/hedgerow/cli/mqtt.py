"""`hedgerow mqtt …`: publish and subscribe as an operator, by MQTT over WebSocket with a signed request."""

import re
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from hedgerow.base.errors import Unusable
from hedgerow.cli.target import Target, target

app = typer.Typer(help="Publish and subscribe as an operator.", no_args_is_help=True)

SIGNED_FOR_S: Final = 300
_LEVEL: Final = r"\+|[^+#/]*"
_FILTER: Final = re.compile(rf"(?=.)(({_LEVEL})/)*({_LEVEL}|#)", re.DOTALL)
_TOPIC: Final = re.compile(r"[^+#]+", re.DOTALL)

Data = Annotated[Path | None, typer.Option("--data", help="The cloud's data folder; default: the environment.")]
Qos = Annotated[int, typer.Option(min=0, max=1, help="Quality of service.")]


@app.command()
def sub(
    topic_filter: Annotated[str, typer.Argument(metavar="FILTER")],
    data: Data = None,
    qos: Qos = 0,
    count: Annotated[int | None, typer.Option(help="End after so many messages.")] = None,
    announce: Annotated[bool, typer.Option("--announce", help="Say on a line of its own when subscribed.")] = False,
) -> None:
    """Print every message that matches FILTER: topic, a blank, payload."""
    if not _FILTER.fullmatch(topic_filter):
        raise Unusable(f"{topic_filter!r} is no topic filter: `+` is a whole level, `#` the last one")
    left = [count]

    def on_connect(client: Any, *_: Any) -> None:
        client.subscribe(topic_filter, qos)

    def on_message(client: Any, _: Any, message: Any) -> None:
        typer.echo(f"{message.topic} {message.payload.decode('utf-8', 'backslashreplace')}")
        sys.stdout.flush()
        if left[0] is not None:
            left[0] -= 1
            if left[0] <= 0:
                client.disconnect()

    client = signed_client(target(data), on_connect=on_connect)
    client.on_message = on_message
    client.on_subscribe = on_subscribe(topic_filter, announce=announce)
    listen(client)


@app.command()
def pub(topic: str, message: str, data: Data = None, qos: Qos = 1, retain: bool = False) -> None:
    """Publish MESSAGE to TOPIC."""
    if not _TOPIC.fullmatch(topic):
        raise Unusable(f"{topic!r} is no topic to publish to: it has at least one character, and neither + nor #")
    client = signed_client(target(data))
    client.loop_start()
    try:
        sent = client.publish(topic, message.encode(), qos, retain)
        sent.wait_for_publish(timeout=10)
        if not sent.is_published():
            raise Unusable(f"{topic} was not acknowledged within 10 s; is publishing to it allowed?")
    except RuntimeError as error:
        raise Unusable(f"could not publish to {topic}: {error}") from error
    finally:
        client.disconnect()
        client.loop_stop()


def signed_client(
    cloud: Target, *, on_connect: Callable[..., None] | None = None, expires_s: int = SIGNED_FOR_S
) -> Any:
    """Answer a paho client, connected by WebSocket under the cloud's access key; each connection is signed anew."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2, client_id=f"operator-{uuid.uuid4()}", transport="websockets")  # noqa: TID251  # a command has no ids handed in
    if on_connect is not None:
        client.on_connect = on_connect
    parts = urlsplit(cloud.api_url)

    def sign(*_: Any) -> None:  # a signature is good for minutes, a connection may be lost after days
        client.ws_set_options(path=_signed_path(cloud, expires_s))

    client.on_pre_connect = sign
    try:
        if parts.scheme == "https":
            client.tls_set(ca_certs=cloud.ca_file)
        client.connect(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), keepalive=60)
    except (OSError, ValueError) as error:
        raise Unusable(f"cannot connect to {cloud.api_url}: {error}; does the cloud run?") from error
    return client


def listen(client: Any) -> None:
    """Stay until the client disconnects, and come back when the connection is lost; Unusable when none is let in."""
    came, subscribe = [False], client.on_connect

    def on_connect(client: Any, user: Any, flags: Any, code: Any, *more: Any) -> None:
        came[0] = came[0] or not code.is_failure
        if not code.is_failure:
            subscribe(client, user, flags, code, *more)

    def on_disconnect(*_: Any) -> None:
        if not came[0]:
            raise Unusable("the cloud ended the connection at once; does the key's policy allow iot:Connect?")

    client.on_connect, client.on_disconnect = on_connect, on_disconnect
    client.loop_forever()


def _signed_path(cloud: Target, expires_s: int) -> str:
    """Sign the upgrade as AWS IoT wants it: in the query, the session token added after signing."""
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("GET", f"{cloud.api_url}/mqtt")
    credentials = Credentials(cloud.access_key_id, cloud.secret_access_key)
    SigV4QueryAuth(credentials, "iotdevicegateway", cloud.region, expires=expires_s).add_auth(request)
    signed = urlsplit(str(request.url))
    token = f"&X-Amz-Security-Token={cloud.session_token}" if cloud.session_token else ""
    return f"{signed.path}?{signed.query}{token}"


def on_subscribe(topic_filter: str, *, announce: bool) -> Callable[..., None]:
    """Answer what ends the command when the subscription is refused (Unusable), and may say that it is there."""

    def answered(client: Any, _: Any, __: Any, codes: Any, ___: Any) -> None:
        if any(code.is_failure for code in codes):
            client.disconnect()
            raise Unusable(f"the subscription to {topic_filter} was refused; does the key's policy allow it?")
        if announce:
            typer.echo(f"subscribed {topic_filter}")
            sys.stdout.flush()

    return answered
