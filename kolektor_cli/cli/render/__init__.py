"""Results as tables, lines, JSON and rows of CSV; nothing is printed here."""
