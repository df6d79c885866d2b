"""The code that runs on Lambda besides app.py. It has no subfolders: they would not be compiled."""
