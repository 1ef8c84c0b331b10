"""The verbs: inspect, split, convert, verify and synthesize, each a list of steps with a result."""
