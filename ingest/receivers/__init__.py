"""Receivers: what other people's agents send over the network, on its way into the log."""
