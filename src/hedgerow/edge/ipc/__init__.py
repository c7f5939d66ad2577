"""The local IPC of Greengrass V2: components talk to this edge over a socket, as AWS's SDKs do."""
