"""The monthly check: the log is verified, every check of the catalogue is decided, the answer is one value."""
