"""Dialects: what spans of agents built elsewhere mean. Pure: nothing is read or written here."""
