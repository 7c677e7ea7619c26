"""Where people meet Fleetbook: the command line, the pages, exports and the warehouse build."""

__version__ = "0.1.0"
