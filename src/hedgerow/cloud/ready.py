"""The ready file: where the cloud listens, and the first account's key. Written when every listener accepts."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from hedgerow.base.files import Files

NAME: Final = "ready.json"  # in the data folder, beside the one that --ready-file asks for


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What a stranger needs to use this cloud."""

    api_url: str
    console_url: str | None
    mqtt_port: int
    https_port: int
    alpn_port: int | None  # MQTT and HTTPS by ALPN; None is not served
    ca_file: str
    account: str
    region: str
    access_key_id: str
    secret_access_key: str
    pid: int

    def __repr__(self) -> str:
        return f"Ready({self.api_url})"

    def write(self, files: Files, *places: Path) -> None:
        """Write it with mode 600 to each place."""
        content = json.dumps(asdict(self), indent=2).encode() + b"\n"
        for place in places:
            files.write_durably(place, content, mode=0o600)
