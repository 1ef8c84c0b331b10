"""The command line: one file a command, with its options, one call into core and its output."""
