"""A webhook receiver that a test can hold back. Spec: AWS IoT rules, "http action", destination confirmation."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hedgerow.testing import TestCloud
from tests.support.waiting import until

HELD_S = 30.0


class Receiver:
    """Keeps what was posted, in the order in which it was answered."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.begun = 0
        self._open = threading.Event()
        self._open.set()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                owner.take(body)
                try:
                    self.send_response(200)
                    self.send_header("content-length", "0")
                    self.end_headers()
                except OSError:
                    return  # whoever asked is gone

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
                """Tests print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/faults"

    def hold(self) -> None:
        """Answer nobody until `let_go`; those that came in between are forgotten, as if they had never arrived."""
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    def take(self, body: dict[str, Any]) -> None:
        if "confirmationToken" in body:
            self.tokens.append(body["confirmationToken"])
            return
        self.begun += 1
        held = not self._open.is_set()
        self._open.wait(HELD_S)
        if not held:
            self.got.append(body)

    def confirmed_by(self, cloud: TestCloud) -> dict[str, Any]:
        """Make a confirmed destination of it and answer the rule action that posts to it."""
        url = {"confirmationUrl": self.url}
        iot = cloud.client("iot")
        iot.create_topic_rule_destination(destinationConfiguration={"httpUrlConfiguration": url})
        iot.confirm_topic_rule_destination(confirmationToken=until("the token", lambda: self.tokens)[-1])
        return {"http": {"url": self.url, **url}}


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Receive on a free port of loopback until the block ends."""
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.05}, name="receiver")
    thread.start()
    try:
        yield made
    finally:
        made.let_go()
        made.server.shutdown()
        thread.join()
        made.server.server_close()
