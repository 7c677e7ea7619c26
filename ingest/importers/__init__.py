"""Importers: other people's result files become events of the log, once and whole."""
