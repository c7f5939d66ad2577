"""The command line, one file per command group; it talks to a cloud through its public API."""
