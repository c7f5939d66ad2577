"""The MQTT shell: listeners, connections, routing, live sessions. Serves the cloud, and the edge's local broker."""
