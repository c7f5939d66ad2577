"""`hedgerow demo`: the main job on one machine, done as a stranger would: boto3, MQTT and HTTP only."""
