"""The control plane: live state in one database, every change with its event."""
