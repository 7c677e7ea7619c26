"""Keeping a workspace: backups, restoring them, and finding what is wrong."""
