"""A scripted data plane: thing groups, component versions, artifacts with ranges, credentials; with fault knobs."""

import base64
import hashlib
import io
import json
import ssl
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

ACCOUNT = "123456789012"
REGION = "eu-central-1"


def zipped(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return out.getvalue()


def component_arn(name: str, version: str) -> str:
    return f"arn:aws:greengrass:{REGION}:{ACCOUNT}:components:{name}:versions:{version}"


def lambda_recipe(name: str, version: str, content: bytes, **configuration: Any) -> dict[str, Any]:
    """A Lambda component's recipe as the cloud writes it."""
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentType": "aws.greengrass.lambda",
        "ComponentSource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:{version.partition('.')[0]}",
        "ComponentConfiguration": {"DefaultConfiguration": {"pinned": True, "timeoutInSeconds": 3, **configuration}},
        "ComponentDependencies": {
            "aws.greengrass.LambdaLauncher": {"VersionRequirement": "^2.0.0", "DependencyType": "HARD"}
        },
        "Manifests": [
            {
                "Platform": {"os": "linux"},
                "Lifecycle": {
                    "Setenv": {
                        "AWS_GREENGRASS_LAMBDA_FUNCTION_HANDLER": "app.handler",
                        "AWS_GREENGRASS_LAMBDA_RUNTIME": "python3.11",
                    }
                },
                "Artifacts": [
                    {
                        "Uri": f"greengrass:{name}-{version}/code.zip",
                        "Unarchive": "ZIP",
                        "Digest": digest,
                        "Algorithm": "SHA-256",
                    }
                ],
            }
        ],
    }


class Plane:
    """What the scripted data plane knows."""

    def __init__(self) -> None:
        self.groups: list[str] = []
        self.recipes: dict[str, list[dict[str, Any]]] = {}  # name -> recipes, newest last
        self.blobs: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.break_after: int | None = None  # bytes of a download, once
        self.down = False
        self.port = 0

    def add(self, recipe: dict[str, Any], content: bytes) -> None:
        self.recipes.setdefault(recipe["ComponentName"], []).append(recipe)
        for manifest in recipe["Manifests"]:
            for artifact in manifest.get("Artifacts", ()):
                self.blobs[artifact["Uri"].removeprefix("greengrass:")] = content

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        path = urlsplit(target).path
        self.requests.append((method, target, headers))
        if self.down:
            return 503, {"message": "down"}
        if path.endswith("/thingGroups"):
            return 200, {"thingGroups": [{"thingGroupName": name} for name in self.groups]}
        if path.endswith("/resolveComponentCandidates"):
            return self._resolve(json.loads(body))
        if path.startswith("/role-aliases/"):
            keys = {"accessKeyId": "ASIA", "secretAccessKey": "very secret", "sessionToken": "t"}
            return 200, {"credentials": {**keys, "expiration": "2099-01-01T00:00:00Z"}}
        if "/artifacts/" in path:
            name = unquote(path.partition("/artifacts/")[2])
            return 200, {"preSignedUrl": f"https://localhost:{self.port}/blob/{name}?signature=x"}
        return 404, {"message": f"nothing at {path}"}

    def _resolve(self, body: dict[str, Any]) -> tuple[int, Any]:
        from hedgerow.core.recipe import requirement

        candidate = body["componentCandidates"][0]
        name, wanted = candidate["componentName"], candidate["versionRequirements"].values()
        for recipe in reversed(self.recipes.get(name, [])):
            version = recipe["ComponentVersion"]
            if all(requirement(text).allows(version) for text in wanted):
                found = {
                    "arn": component_arn(name, version),
                    "componentName": name,
                    "componentVersion": version,
                    "recipe": base64.b64encode(json.dumps(recipe).encode()).decode(),
                }
                return 200, {"resolvedComponentVersions": [found]}
        return 404, {"message": f"no usable version of {name}"}


@contextmanager
def serving(context: ssl.SSLContext, plane: Plane) -> Iterator[Plane]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith("/blob/"):
                self._blob()
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = plane.answer(self.command, self.path, headers, body)
            self._send(status, json.dumps(document).encode())

        def _blob(self) -> None:
            plane.requests.append(("GET", self.path, {"range": self.headers.get("Range", "")}))
            data = plane.blobs[unquote(urlsplit(self.path).path.removeprefix("/blob/"))]
            begin = 0
            if self.headers.get("Range"):
                begin = int(self.headers["Range"].removeprefix("bytes=").partition("-")[0])
            part = data[begin:]
            if plane.break_after is not None:
                part, plane.break_after = part[: plane.break_after], None
                self.close_connection = True
            self._send(206 if begin else 200, part, length=len(data) - begin)

        def _send(self, status: int, data: bytes, *, length: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data) if length is None else length))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    plane.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield plane
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def document(version: int, components: dict[str, Any], *, target: str = "thing/site-1", **extra: Any) -> dict[str, Any]:
    """A deployment's configuration document."""
    return {
        "deploymentId": f"deployment-{version}",
        "deploymentName": f"number {version}",
        "configurationArn": f"arn:aws:greengrass:{REGION}:{ACCOUNT}:configuration:{target}:{version}",
        "creationTimestamp": 1_700_000_000_000 + version,
        "components": components,
        "failureHandlingPolicy": "ROLLBACK",
        "requiredCapabilities": [],
        **extra,
    }
