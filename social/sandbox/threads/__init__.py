"""Threads, simulated. So far only what it takes of files."""
