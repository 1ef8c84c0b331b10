"""The MVTec-AD-style tree: its layout, fits, plan, files and manifest."""
