"""The monthly check: the log is verified, every check is decided, the answer is one value."""
