"""Pictures of a source, a tree and scores: outlines, plots, and one page of HTML."""
