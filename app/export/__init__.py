"""Rows that leave the product, complete or refused, with a manifest of filter, build, rows and digests."""
