"""What the operations mean: a folder per AWS service, in it a folder per subject."""
