"""Checks of a tree: its layout, its manifest, leaks between train and test, and its source."""
