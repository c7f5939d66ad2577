"""The MQTT shell: listeners, connections, routing, live sessions. Serves the cloud, and the edge's local broker.

`running(...)` gives a gateway on the running loop, `listen(gateway, context)` a port for it, `MqttWebSocket(gateway)`
an ASGI application. `DirectBus` joins gateways and control in one process; control listens by `on_message`.
"""

from hedgerow.gateway.account import Connectivity
from hedgerow.gateway.bus import DirectBus, Hub, WireBus
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.grants import CompileGrants, GrantsLike, policy_grants
from hedgerow.gateway.journal import Journal, MemoryJournal
from hedgerow.gateway.listener import Listener, listen
from hedgerow.gateway.run import running
from hedgerow.gateway.websocket import MqttWebSocket

__all__ = [
    "CompileGrants",
    "Connectivity",
    "DirectBus",
    "Gateway",
    "GrantsLike",
    "Hub",
    "Journal",
    "Listener",
    "MemoryJournal",
    "MqttWebSocket",
    "WireBus",
    "listen",
    "policy_grants",
    "running",
]
