"""Pixels: geometry, decoding, encoding, resampling, windows and similarity."""
