"""What the operations of AWS IoT Core mean, a folder per subject."""
