"""Running servers: addresses, the replication client, snapshots, continuous capture, and loading."""
