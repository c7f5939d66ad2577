"""The runtime on a device: provisioning, connection, deployments, components, local IPC."""
