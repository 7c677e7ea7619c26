"""The event log: what an event is, and writing, sealing, proving and reading events."""
