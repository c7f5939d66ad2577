"""What the operations of AWS IoT Greengrass V2 mean, a folder per subject."""
