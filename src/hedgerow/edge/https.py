"""HTTPS requests of a device: one connection each, deadlines, a bound on the answer. Blocks: call from a thread.

Leaves to others: what is asked (`cloud.py`, `credentials.py`), downloads (`deployments/artifacts.py`).
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from typing import Any, Final

from hedgerow.edge.configuration import Endpoint
from hedgerow.edge.trouble import Trouble, explained

LARGEST_ANSWER: Final = 16 * 1024 * 1024
TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An HTTP answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> dict[str, Any]:
        """Answer the body as a JSON object, {} when it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def error(self) -> str:
        """The name of the error shape: from the header, else from the body."""
        named = self.headers.get("x-amzn-errortype") or str(self.document().get("__type", ""))
        return named.partition(":")[0].rpartition("#")[2]

    @property
    def message(self) -> str:
        """The error's text."""
        document = self.document()
        return str(document.get("message") or document.get("Message") or self.body[:200].decode("utf-8", "replace"))


def ask(
    endpoint: Endpoint,
    context: ssl.SSLContext,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    root_ca: str = "",
    certificate: str = "",
) -> Answered:
    """Send a request and answer what came back; raise Trouble when nothing did."""
    connection = HTTPSConnection(endpoint.host, endpoint.port, timeout=TIMEOUT_S, context=context)
    try:
        connection.request(method, target, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        data = response.read(LARGEST_ANSWER + 1)
    except HTTPException as error:
        raise Trouble(f"{endpoint} does not speak HTTP: {error!r}") from error
    except OSError as error:
        raise explained(error, endpoint, root_ca=root_ca, certificate=certificate) from error
    finally:
        connection.close()
    if len(data) > LARGEST_ANSWER:
        raise Trouble(f"{endpoint} answered more than {LARGEST_ANSWER} bytes")
    names = {name.lower(): value for name, value in response.getheaders()}
    return Answered(status=response.status, headers=names, body=data)
