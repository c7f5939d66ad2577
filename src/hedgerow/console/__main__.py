"""`python -m hedgerow.console`: started by `hedgerow cloud up`, or by hand beside any cloud."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from hedgerow.base import log as logs
from hedgerow.base.errors import Unusable


def main(arguments: list[str] | None = None) -> int:
    """Run the console and answer its exit status."""
    given = _parser().parse_args(arguments)
    logs.configure("INFO")
    _quieten()
    try:
        from hedgerow.console.server import Settings, run
    except ModuleNotFoundError as error:
        sys.stderr.write(f"hedgerow: {error.name} is missing: the console needs pip install 'hedgerow[cloud]'\n")
        return 2
    try:
        run(Settings(**vars(given)))
    except Unusable as error:
        sys.stderr.write(f"hedgerow: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hedgerow.console", description="The web console of a cloud.")
    parser.add_argument("--api-url", required=True, help="the cloud's API")
    parser.add_argument("--region", required=True, help="the cloud's region")
    parser.add_argument("--ca-file", help="the CA that an https API is checked against")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--url-host", help="the host in the console's own URL; default: as --host")
    parser.add_argument("--tls-certificate", type=Path, help="serve HTTPS with this certificate and its chain (PEM)")
    parser.add_argument("--tls-key", type=Path, help="its key (PEM, not encrypted)")
    parser.add_argument("--device-host", help="where devices connect; default: as the cloud says")
    parser.add_argument("--device-mqtt-port", type=int, default=8883, help="their port for MQTT")
    parser.add_argument("--device-https-port", type=int, default=8443, help="their port for HTTPS")
    parser.add_argument("--device-ca-file", type=Path, help="the CA that devices check the cloud against")
    parser.add_argument("--models", type=Path, help="service models for boto3, with the service hedgerow")
    parser.add_argument("--ready-fd", type=int, help="a descriptor that is told where the console listens")
    parser.add_argument("--ready-file", type=Path, help="a file that is told the same")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with whoever started this")
    return parser


def _quieten() -> None:
    """Keep libraries from what the console has no use for: files, profiles, and aiohttp's eight megabytes."""
    os.environ["NICEGUI_STORAGE_PATH"] = os.devnull
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    modules: dict[str, Any] = sys.modules  # None says: not installed
    modules.setdefault("aiohttp", None)  # socketio asks for it as a client only


if __name__ == "__main__":
    sys.exit(main())
