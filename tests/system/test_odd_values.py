"""Every member of every operation with values that the model allows and nobody expects: refused in words, or taken."""

import asyncio
import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hedgerow.api import OWN_MODELS, ModelFiles, botocore_models
from hedgerow.cli.members import Trial
from hedgerow.cli.samples import Samples
from hedgerow.cloud.build import build
from hedgerow.cloud.settings import CloudSettings
from hedgerow.core.wire import Catalogue
from hedgerow.core.wire.model import Member, Shape

pytestmark = pytest.mark.slow
TEXTS = [
    *("", " ", "\0", "a\nb", "é\u202e😀", "a" * 1024, "9" * 400, "-1", "1e999", "1.0.0-"),
    *("*", "..", "//", "#", "%", "$aws/things/a", "%s{}${a}", "\\", "((((("),
    *("{", "[]", "null", '"x"', "arn:", "arn:aws:iot:us-east-1:1:thing/x", "$LATEST", "SELECT", "cron("),
    *("http://[::1", "https://x:99999999/", "::1/200", "2026-13-45T99:99:99Z", "-----BEGIN CERTIFICATE-----"),
]
BYTES = [
    b"",
    b"\0\xff",
    b"[" * 5000,
    b"{}",
    b"null",
    b'{"state": null}',
    b'{"state": {"desired": null}, "version": "x"}',
]
ODD: Mapping[str, Sequence[Any]] = {
    "string": TEXTS,
    "character": TEXTS,
    "blob": BYTES,
    "integer": [0, -1, 2**31 - 1, -(2**31)],
    "long": [0, -1, 2**63 - 1, -(2**63)],
    "float": [0.0, -1.0, math.nan, math.inf],
    "double": [0.0, -1.0, 1e308, math.nan, -math.inf],
    "boolean": [True, False],
    "timestamp": [0.0, -62135596800.0, 253402300799.0],
}


class OddSamples(Samples):
    """Answers odd values for the member that is tried, and plain ones around it."""

    def values(self, member: Member, name: str) -> Iterator[Any]:
        shape = member.shape
        if shape.type in ODD:
            yield from ODD[shape.type]
        elif shape.type == "list":
            yield from self._lists(shape)
        elif shape.type == "map" and shape.value is not None:
            yield {}
            for key in TEXTS:
                yield {key: self.value(shape.value, "value")}
            yield {str(number): self.value(shape.value, "value") for number in range(200)}
        else:
            yield from super().values(member, name)

    def _lists(self, shape: Shape) -> Iterator[list[Any]]:
        assert shape.member is not None
        yield []
        for value in ODD.get(shape.member.shape.type, ()):
            yield [value]
        yield [self.value(shape.member, "x")] * 150


async def tried(folder: Path) -> tuple[str, ...]:
    settings = CloudSettings(
        data=folder / "data", bind="127.0.0.1", api_port=0, mqtt_port=0, https_port=0, console=False
    )
    async with build(settings, {"HEDGEROW_MASTER_KEY": base64.b64encode(bytes(32)).decode()}) as cloud:
        catalogue = Catalogue(ModelFiles([OWN_MODELS, botocore_models()]))
        trial = Trial(cloud, catalogue, OddSamples(account=cloud.account, region=cloud.region))
        await trial.seed()
        for key in sorted(cloud.operations):
            await trial.members(*key)
        return tuple(dict.fromkeys(trial.crashes))


@pytest.mark.timeout(300)
def test_no_value_that_a_model_allows_is_our_mistake(tmp_path: Path) -> None:
    assert asyncio.run(tried(tmp_path)) == ()
