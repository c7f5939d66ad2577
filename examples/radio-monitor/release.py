"""Which release of the monitor this is; a new release changes it."""

RELEASE = 1
