"""Mastodon 4.6-like, from the sheet alone. `simulated.py` is what the sandbox sees of it."""
