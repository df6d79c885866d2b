"""The user profile service: everything that runs in Lambda besides app.py."""
