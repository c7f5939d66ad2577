"""Where devices find the cloud: one bare host per kind of endpoint. Ports are the listeners' business.

`iot:Data` is the old form of `iot:Data-ATS`; here both are the same host.
"""

from dataclasses import dataclass
from typing import Final

from hedgerow.services.iot.endpoints.errors import UnknownEndpointType

DEFAULT: Final = "iot:Data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Host names without scheme and port."""

    data: str
    credentials: str
    jobs: str

    def of(self, kind: str | None) -> str:
        """Answer the host; raise UnknownEndpointType for what we do not serve."""
        hosts = {
            "iot:Data": self.data,
            "iot:Data-ATS": self.data,
            "iot:CredentialProvider": self.credentials,
            "iot:Jobs": self.jobs,
        }
        try:
            return hosts[kind or DEFAULT]
        except KeyError:
            raise UnknownEndpointType(kind or "", tuple(hosts)) from None
