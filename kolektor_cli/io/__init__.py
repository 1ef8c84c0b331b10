"""Files and processors: sources, atomic output and parallel work."""
