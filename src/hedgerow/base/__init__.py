"""What every part may use: errors, clock, ids, settings, log."""
