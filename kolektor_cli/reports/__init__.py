"""Pictures and pages: overlays, contact sheets, panels, plots and the HTML report."""
