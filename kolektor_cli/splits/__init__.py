"""Splits: the protocols that make them, and the files that hold them."""
