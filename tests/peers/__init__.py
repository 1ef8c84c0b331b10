"""Needs PyTorch and Anomalib: `make test-peers`."""
