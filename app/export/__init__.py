"""Rows that leave the product: files with a manifest of filter, build, rows, columns and digests, complete or refused."""
