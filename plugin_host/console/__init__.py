"""Lines on the screen, and atomic files."""
