"""What can be wrong with a report: nothing that reports alone know."""
