"""The job templates that AWS brings along: what common handlers on devices understand, with parameters to fill in.

They are the same in every account. Spec: AWS IoT Jobs, "managed templates": names, parameters and documents as AWS's
device client expects them; the words are ours.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.core.arn import arn
from hedgerow.services.iot.errors import InvalidRequest

VERSION: Final = "1.0"
PREFIX: Final = "AWS-"
_PLACEHOLDER: Final = re.compile(r"\$\{aws:iot:parameter:([a-zA-Z0-9_-]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a template."""

    key: str
    description: str
    example: str
    regex: str = "(.*?)"
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedTemplate:
    """One of AWS's templates. `action` is the part of the document that tells it from the others."""

    name: str
    description: str
    action: Mapping[str, Any]
    parameters: tuple[Parameter, ...]

    def arn(self, region: str) -> str:
        """Make the template's ARN, which has no account."""
        return arn("iot", region, "", f"jobtemplate/{self.name}:{VERSION}")

    @property
    def document(self) -> str:
        """The document, with placeholders for parameters."""
        action = {**self.action, "runAsUser": _given("runAsUser")}
        return json.dumps({"version": "1.0", "steps": [{"action": action}]}, separators=(",", ":"))

    def filled(self, values: Mapping[str, str]) -> str:
        """Answer the document with these values; what is optional and not given is empty. Raises InvalidRequest."""
        known = {one.key: one for one in self.parameters}
        for key in values:
            if key not in known:
                raise InvalidRequest(f"documentParameters: {self.name} has no parameter {key}.")
        for key, one in known.items():
            value = values.get(key)
            if value is None and not one.optional:
                raise InvalidRequest(f"documentParameters: {self.name} needs the parameter {key}.")
            if value is not None and re.fullmatch(one.regex, value) is None:
                raise InvalidRequest(f"documentParameters: {key} does not match {one.regex}.")
        return _PLACEHOLDER.sub(lambda found: json.dumps(values.get(found[1], ""))[1:-1], self.document)

    def summary(self, region: str) -> dict[str, Any]:
        """Answer it as it stands in lists."""
        return {
            "templateArn": self.arn(region),
            "templateName": self.name,
            "description": self.description,
            "environments": ["LINUX"],
            "templateVersion": VERSION,
        }

    def described(self, region: str) -> dict[str, Any]:
        """Answer it whole."""
        parameters = [
            {
                "key": one.key,
                "description": one.description,
                "regex": one.regex,
                "example": one.example,
                "optional": one.optional,
            }
            for one in self.parameters
        ]
        return {**self.summary(region), "documentParameters": parameters, "document": self.document}


def _given(key: str) -> str:
    return f"${{aws:iot:parameter:{key}}}"


_USER: Final = Parameter(
    key="runAsUser",
    description="The user who runs the handler; the one of the job agent when it is not given.",
    example="user1",
    regex="(.){0,256}",
    optional=True,
)
_PATH: Final = Parameter(
    key="pathToHandler",
    description="The folder on the device where the handler is; the job agent's own when it is not given.",
    example="/path/to/handlers",
    regex="(.){0,4096}",
    optional=True,
)


def _handler(name: str, handler: str, description: str, *needed: Parameter) -> ManagedTemplate:
    inputs: dict[str, Any] = {"handler": handler}
    if needed:
        inputs["args"] = [_given(one.key) for one in needed]
    inputs["path"] = _given(_PATH.key)
    action = {"name": name, "type": "runHandler", "input": inputs}
    return ManagedTemplate(
        name=PREFIX + name, description=description, action=action, parameters=(*needed, _USER, _PATH)
    )


_PACKAGES: Final = Parameter(key="packages", description="Names of packages, with blanks between.", example="curl git")
_SERVICES: Final = Parameter(key="services", description="Names of services, with blanks between.", example="ssh cron")
_URL: Final = Parameter(
    key="downloadUrl",
    description="Where the file is: a URL, or a presigned URL placeholder for an object in S3.",
    example="https://example.com/file.bin",
)
_FILE: Final = Parameter(key="filePath", description="Where the device keeps the file.", example="/opt/file.bin")
_COMMAND: Final = Parameter(
    key="command",
    description="The program and its arguments, with commas between; a comma of an argument is written \\,.",
    example="echo,hello",
)
_ALL: Final = (
    _handler("Reboot", "reboot.sh", "Restarts the device."),
    _handler("Download-File", "download-file.sh", "Downloads a file to the device.", _URL, _FILE),
    _handler("Install-Application", "install-packages.sh", "Installs applications.", _PACKAGES),
    _handler("Remove-Application", "remove-packages.sh", "Removes applications.", _PACKAGES),
    _handler("Start-Application", "start-services.sh", "Starts services.", _SERVICES),
    _handler("Stop-Application", "stop-services.sh", "Stops services.", _SERVICES),
    _handler("Restart-Application", "restart-services.sh", "Stops services and starts them again.", _SERVICES),
    ManagedTemplate(
        name="AWS-Run-Command",
        description="Runs a command on the device.",
        action={"name": "Run-Command", "type": "runCommand", "input": {"command": _given(_COMMAND.key)}},
        parameters=(_COMMAND, _USER),
    ),
)
MANAGED: Final[Mapping[str, ManagedTemplate]] = {one.name: one for one in sorted(_ALL, key=lambda one: one.name)}
