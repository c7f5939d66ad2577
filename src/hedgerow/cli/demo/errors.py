"""How a demo ends early."""


class StepFailed(Exception):
    """A step could not be verified; the message says what was seen instead."""
