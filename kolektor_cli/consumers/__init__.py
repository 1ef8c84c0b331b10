"""Codes that train on a tree: their needs, the files they read beside it, and their commands."""
