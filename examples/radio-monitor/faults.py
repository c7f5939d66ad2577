"""Which faults are open, as a small state machine: one event for each change, none in between."""

import uuid


class Faults:
    """Open faults by name. `observe` answers the event to publish, or None when nothing changed."""

    def __init__(self, thing):
        self._thing = thing
        self.open = {}

    def observe(self, fault, present, *, cleared=None, at):
        """Note what was seen. `present` raises the fault; `cleared` (default: not present) ends it."""
        cleared = not present if cleared is None else cleared
        if present and fault not in self.open:
            self.open[fault] = str(uuid.uuid4())
            return self._event(fault, "raised", self.open[fault], at)
        if cleared and fault in self.open:
            return self._event(fault, "cleared", self.open.pop(fault), at)
        return None

    def adopt(self, reported):
        """Take over what the shadow says is open, so that a restart neither raises a fault again nor forgets one."""
        self.open = {fault: identifier for fault, identifier in (reported or {}).items() if identifier}

    def _event(self, fault, state, identifier, at):
        return {"thing": self._thing, "fault": fault, "state": state, "id": identifier, "at": at}
