"""The radio as SNMP shows it: one GET for everything that the monitor needs."""

from pysnmp.hlapi.v1arch.asyncio import (
    CommunityData,
    ObjectIdentity,
    ObjectType,
    SnmpDispatcher,
    UdpTransportTarget,
    get_cmd,
)

BASE = "1.3.6.1.4.1.54321.1"
SIGNAL_DBM, TEMPERATURE_TENTHS, FAN_ON = f"{BASE}.1.0", f"{BASE}.2.0", f"{BASE}.3.0"


class Unreachable(Exception):
    """The radio did not answer."""


class Radio:
    """Asks one radio."""

    def __init__(self, address, community):
        host, port = address.rsplit(":", 1)
        self._address = (host, int(port))
        self._community = CommunityData(community, mpModel=1)
        self._dispatcher = SnmpDispatcher()
        self._target = None

    async def read(self):
        """Answer signal level (dBm), temperature (degrees Celsius) and whether the fan runs."""
        if self._target is None:
            self._target = await UdpTransportTarget.create(self._address, timeout=0.5, retries=1)
        error, status, _, values = await get_cmd(
            self._dispatcher,
            self._community,
            self._target,
            *(ObjectType(ObjectIdentity(oid)) for oid in (SIGNAL_DBM, TEMPERATURE_TENTHS, FAN_ON)),
            lookupMib=False,
        )
        if error or status:
            raise Unreachable(str(error or status))
        signal, tenths, fan = (int(value) for _, value in values)
        return {"signal_dbm": signal, "temperature_c": tenths / 10, "fan_on": bool(fan)}
