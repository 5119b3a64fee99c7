"""One HTML file that shows and explains what came of a run, or of several side by side."""
