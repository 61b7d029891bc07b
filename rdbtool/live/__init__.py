"""A running server: addresses, the replication client, snapshots, continuous capture, and loading."""
