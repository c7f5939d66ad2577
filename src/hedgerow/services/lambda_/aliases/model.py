"""A name that stands for a version of a function, or for two with a weight."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.core.arn import arn
from hedgerow.services.lambda_.aliases.errors import InvalidAlias

LATEST: Final = "$LATEST"
_NAME: Final = re.compile(r"(?!^[0-9]+$)[a-zA-Z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """`weights` holds at most one further version and its share (0 to 1) of the invocations."""

    account: str
    region: str
    function: str
    name: str
    version: str
    description: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    revision: str

    @property
    def arn(self) -> str:
        return arn("lambda", self.region, self.account, f"function:{self.function}:{self.name}")

    def check(self) -> None:
        """Raise InvalidAlias when the name or the routing cannot be."""
        if not _NAME.fullmatch(self.name):
            raise InvalidAlias(f"{self.name!r} is not the name of an alias: letters, digits, - and _, not only digits")
        if len(self.weights) > 1:
            raise InvalidAlias("An alias can route to one additional version")
        for version, weight in self.weights.items():
            if not 0.0 <= weight <= 1.0:
                raise InvalidAlias(f"The weight of version {version} must be between 0 and 1")
            if LATEST in (version, self.version):
                raise InvalidAlias("$LATEST is not supported for an alias pointing to more than 1 version")
            if version == self.version:
                raise InvalidAlias("The additional version is the one that the alias stands for anyway")

    def choose(self, chance: float) -> str:
        """Answer the version for one invocation; `chance` is from 0 to 1."""
        for version, weight in self.weights.items():
            if chance < weight:
                return version
        return self.version

    def configuration(self) -> dict[str, Any]:
        """Answer the AliasConfiguration."""
        answer: dict[str, Any] = {
            "AliasArn": self.arn,
            "Name": self.name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision,
        }
        if self.weights:
            answer["RoutingConfig"] = {"AdditionalVersionWeights": dict(self.weights)}
        return answer
