"""Figures of anomaly maps: maps are read, brought to their images, counted and compared."""
