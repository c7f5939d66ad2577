"""CloudWatch: metrics in a database file of their own."""
