"""CloudWatch Logs: groups, streams and their events."""
