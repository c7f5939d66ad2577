"""Which writes of an account go one after another (`Run.write`), because each changes rows that all of them change."""


def enrolment(account: str) -> str:
    """Answer the lane of what lets devices in: it ends in the record of attempts, and a claim counts its devices."""
    return f"{account} enrolment"
