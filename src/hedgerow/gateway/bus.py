"""How publications and commands travel between control and gateways.

`DirectBus` calls straight through, in one process. `WireBus` carries bytes, on a later turn and sometimes twice: what
several processes and NATS will be like. Whoever attaches gets an endpoint; what it publishes goes to everyone else.
"""

from collections.abc import Callable
from typing import Protocol

from hedgerow.gateway.ports import Bus, Command, Message, Stored
from hedgerow.gateway.wire import decode_command, decode_message, encode_command, encode_message

OnMessage = Callable[[Message, Stored | None], None]
OnCommand = Callable[[Command], None]
Interest = Callable[[str, str], bool]
Soon = Callable[[Callable[[], None]], None]


class Endpoint(Bus, Protocol):
    """One gateway's end of a bus."""

    def wants(self, account: str, topic: str) -> bool:
        """Tell whether anybody else may want publications to this topic. What it says is remembered until `changed`."""
        ...

    def others(self) -> bool:
        """Tell whether there are other gateways."""
        ...


class Hub(Bus, Protocol):
    """The bus as control and gateways find it. Its own `publish` and `tell` are control's."""

    def on_message(self, handler: OnMessage, *, interest: Interest | None = None) -> None:
        """Control's ear, called for each publication of a gateway; `stored`, when given, must be called.

        `interest(account, topic)` says at once whether control wants such publications; say `interest_changed()` when
        its answers change. Without it control gets everything.
        """
        ...

    def interest_changed(self) -> None:
        """Ask `interest` again."""
        ...

    def attach(self, name: str, on_message: OnMessage, on_command: OnCommand, changed: Callable[[], None]) -> Endpoint:
        """Add a gateway. `changed` is called when what `wants` said may be wrong now."""
        ...


class _Gathered:
    """Calls `stored` once when everyone has answered, however often each does."""

    def __init__(self, stored: Stored, names: set[str]) -> None:
        self._stored = stored
        self._open = names
        self._ok = True

    def part(self, name: str) -> Stored:
        def answer(ok: bool) -> None:
            if name in self._open:
                self._open.discard(name)
                self._ok = self._ok and ok
                if not self._open:
                    self._stored(self._ok)

        return answer


class DirectBus:
    """In one process: a call, on the same turn."""

    def __init__(self) -> None:
        self._control: OnMessage | None = None
        self._interest: Interest | None = None
        self._gateways: dict[str, _Attached] = {}
        self.carried = 0

    def on_message(self, handler: OnMessage, *, interest: Interest | None = None) -> None:
        self._control = handler
        self._interest = interest
        self.interest_changed()

    def interest_changed(self) -> None:
        for gateway in self._gateways.values():
            gateway.changed()

    def attach(self, name: str, on_message: OnMessage, on_command: OnCommand, changed: Callable[[], None]) -> Endpoint:
        attached = _Attached(self, name, on_message, on_command, changed)
        self._gateways[name] = attached
        self.interest_changed()
        return attached

    def detach(self, name: str) -> None:
        """The gateway is gone."""
        self._gateways.pop(name, None)
        self.interest_changed()

    def publish(self, message: Message, stored: Stored | None = None) -> None:
        self.carry("", message, stored)

    def tell(self, gateway: str, command: Command) -> None:
        self.order("", gateway, command)

    def control_wants(self, account: str, topic: str) -> bool:
        return self._control is not None and (self._interest is None or self._interest(account, topic))

    def names(self) -> set[str]:
        return set(self._gateways)

    def carry(self, origin: str, message: Message, stored: Stored | None) -> None:
        """Give the message to everyone but its origin ("" is control)."""
        self.carried += 1
        ears = {name: one.heard for name, one in self._gateways.items() if name != origin}
        if origin and self._control is not None and self.control_wants(message.account, message.topic):
            ears[""] = self._control
        if stored is None:
            for ear in ears.values():
                self._give(ear, message, None)
            return
        if not ears:
            stored(True)
            return
        gathered = _Gathered(stored, set(ears))
        for name, ear in ears.items():
            self._give(ear, message, gathered.part(name))

    def order(self, origin: str, gateway: str, command: Command) -> None:
        for name, one in list(self._gateways.items()):
            if name != origin and gateway in ("*", name):
                self._command(one.told, command)

    def _give(self, ear: OnMessage, message: Message, stored: Stored | None) -> None:
        ear(message, stored)

    def _command(self, ear: OnCommand, command: Command) -> None:
        ear(command)


class WireBus(DirectBus):
    """Bytes, on a later turn, sometimes twice: `twice()` says when. Order is kept."""

    def __init__(self, soon: Soon, *, twice: Callable[[], bool]) -> None:
        super().__init__()
        self._soon = soon
        self._twice = twice

    def _give(self, ear: OnMessage, message: Message, stored: Stored | None) -> None:
        wire = encode_message(message)
        answer = None if stored is None else self._late(stored)
        for _ in range(2 if self._twice() else 1):
            self._soon(lambda: ear(decode_message(wire), answer))

    def _late(self, stored: Stored) -> Stored:
        return lambda ok: self._soon(lambda: stored(ok))

    def _command(self, ear: OnCommand, command: Command) -> None:
        wire = encode_command(command)
        for _ in range(2 if self._twice() else 1):
            self._soon(lambda: ear(decode_command(wire)))


class _Attached:
    """One gateway's end of a DirectBus or WireBus."""

    def __init__(
        self, hub: DirectBus, name: str, heard: OnMessage, told: OnCommand, changed: Callable[[], None]
    ) -> None:
        self._hub = hub
        self._name = name
        self.heard = heard
        self.told = told
        self.changed = changed

    def publish(self, message: Message, stored: Stored | None = None) -> None:
        self._hub.carry(self._name, message, stored)

    def tell(self, gateway: str, command: Command) -> None:
        self._hub.order(self._name, gateway, command)

    def wants(self, account: str, topic: str) -> bool:
        return self.others() or self._hub.control_wants(account, topic)

    def others(self) -> bool:
        return len(self._hub.names()) > 1
