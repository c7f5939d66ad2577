"""What AWS has no operation for: accounts of this cloud, and signing in to the console."""
