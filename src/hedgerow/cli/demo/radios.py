"""Simulated radios: real SNMP agents (v2c, UDP) on loopback, one process, values that drift.

`python -m hedgerow.cli.demo.radios COUNT [--hot INDEX]` prints one JSON line with the ports and serves until ended.
Radio INDEX overheats: it climbs past 70 °C some time after its first answer, stays there a while, and recovers.
OIDs under 1.3.6.1.4.1.54321.1: .1.0 signal (dBm), .2.0 temperature (tenths of a degree Celsius), .3.0 fan (0 or 1).
"""

import argparse
import asyncio
import json
import math
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import cmdrsp, context
from pysnmp.proto.rfc1902 import Integer32, ObjectName
from pysnmp.proto.rfc1905 import NoSuchObject
from pysnmp.smi import instrum

BASE = (1, 3, 6, 1, 4, 1, 54321, 1)
CALM_S = 6.0
"""How long the hot radio is polled before it starts to overheat."""
HOT_S = 6.0
"""How long it stays hot."""
RAMP_S = 2.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a radio shows at one moment."""

    signal_dbm: int
    temperature_tenths: int
    fan_on: bool


def reading(index: int, polled_s: float, *, hot: bool) -> Reading:
    """Answer what radio `index` shows `polled_s` seconds after its first poll."""
    signal = -62 - index % 7 + 3 * math.sin(polled_s / 9 + index)
    temperature = 41 + index % 5 + 2 * math.sin(polled_s / 13 + 2 * index)
    if hot:
        into = polled_s - CALM_S
        rise = min(max(into / RAMP_S, 0.0), 1.0) - min(max((into - RAMP_S - HOT_S) / RAMP_S, 0.0), 1.0)
        temperature += 38 * rise
    return Reading(round(signal), round(temperature * 10), temperature > 45)


class Instrumentation(instrum.AbstractMibInstrumController):  # type: ignore[misc]  # pysnmp has no types
    """Answers GETs from a function of time; everything else does not exist here."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def read_variables(
        self, *names_and_values: tuple[ObjectName, object], **_context: object
    ) -> list[tuple[object, object]]:
        now = self._read()
        values = {
            (*BASE, 1, 0): Integer32(now.signal_dbm),
            (*BASE, 2, 0): Integer32(now.temperature_tenths),
            (*BASE, 3, 0): Integer32(int(now.fan_on)),
        }
        return [(name, values.get(tuple(name), NoSuchObject(""))) for name, _ in names_and_values]


def start_radio(index: int, *, hot: bool) -> int:
    """Start one agent on a free UDP port of loopback and answer the port."""
    agent = engine.SnmpEngine()
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    bound.setblocking(False)
    config.add_transport(agent, udp.DOMAIN_NAME, udp.UdpTransport().open_server_mode(sock=bound))
    config.add_v1_system(agent, "read", "public")
    config.add_vacm_user(agent, 2, "read", "noAuthNoPriv", BASE)
    first: list[float] = []
    clock = asyncio.get_running_loop().time

    def read() -> Reading:
        if not first:
            first.append(clock())
        return reading(index, clock() - first[0], hot=hot)

    names = context.SnmpContext(agent)
    names.unregister_context_name(b"")
    names.register_context_name(b"", Instrumentation(read))
    cmdrsp.GetCommandResponder(agent, names)
    return int(bound.getsockname()[1])


async def serve(count: int, hot: int) -> None:
    """Serve until cancelled."""
    ports = [start_radio(index, hot=index == hot) for index in range(count)]
    print(json.dumps({"ports": ports}), flush=True)
    await asyncio.Event().wait()


def main(arguments: list[str]) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="simulated radios over SNMP")
    parser.add_argument("count", type=int)
    parser.add_argument("--hot", type=int, default=0)
    given = parser.parse_args(arguments)
    asyncio.run(serve(given.count, given.hot))


if __name__ == "__main__":
    main(sys.argv[1:])
