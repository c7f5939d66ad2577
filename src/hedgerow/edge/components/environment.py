"""What a component finds in its environment: who it is, how it reaches the local IPC and its credentials.

Nothing of Hedgerow's own is in it. The token of a component (SVCUID) is made anew with every start of the edge.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from hedgerow.base.ids import Ids
from hedgerow.edge.configuration import Configuration
from hedgerow.edge.deployments.shadow import VERSION
from hedgerow.edge.identity import Identity
from hedgerow.edge.layout import Layout
from hedgerow.functions import FunctionSpec, Grant

_LONGEST_SOCKET_PATH = 107  # bytes, of AF_UNIX


class Environments:
    """The environments and tokens of one core's components."""

    def __init__(self, *, identity: Identity, settings: Configuration, layout: Layout, ids: Ids) -> None:
        self._identity = identity
        self._settings = settings
        self._layout = layout
        self._ids = ids
        self._tokens: dict[str, str] = {}
        self._components: dict[str, str] = {}
        self.credentials_url = ""  # set when the local credential server listens

    def component_of(self, token: str) -> str | None:
        """Answer the component that this token was given to, or None."""
        return self._components.get(token)

    def token_of(self, component: str) -> str:
        """Answer the component's token; the same for as long as the edge runs."""
        token = self._tokens.get(component)
        if token is None:
            token = self._tokens[component] = self._ids.upper(16)
            self._components[token] = component
        return token

    async def grant(self, spec: FunctionSpec) -> Grant:
        """Answer what a function's instance gets beyond its own environment."""
        return Grant(environment=self.of(spec.name, folder=spec.code))

    def of(self, component: str, *, folder: Path) -> Mapping[str, str]:
        """Answer the variables of a component that is started in the folder."""
        token = self.token_of(component)
        socket = str(self.socket)
        if too_long(self.socket):
            socket = os.path.relpath(self.socket, folder.resolve())
        values = {
            **self._settings.environment,
            "AWS_IOT_THING_NAME": self._identity.thing_name,
            "AWS_REGION": self._settings.region,
            "AWS_DEFAULT_REGION": self._settings.region,
            "GGC_VERSION": VERSION,
            "GG_ROOT_CA_PATH": str(self._settings.root_ca),
            "SVCUID": token,
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH": socket,
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": socket,
        }
        if self.credentials_url:
            values["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = self.credentials_url
            values["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
        return values

    @property
    def socket(self) -> Path:
        """Where the local IPC listens."""
        return self._settings.ipc_socket or self._layout.ipc_socket


def too_long(path: Path) -> bool:
    """Tell whether a socket cannot have this path."""
    return len(os.fsencode(path)) > _LONGEST_SOCKET_PATH
