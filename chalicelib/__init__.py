"""Everything that runs in Lambda besides app.py. Flat: only one level of modules is compiled."""
