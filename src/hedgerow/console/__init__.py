"""The web console, a process of its own, on the public API like any stranger."""
