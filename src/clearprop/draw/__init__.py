"""Pictures: learning curves as image files, and what a terminal can show."""
