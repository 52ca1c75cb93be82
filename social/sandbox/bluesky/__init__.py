"""Bluesky, simulated: a personal data server with its OAuth server and an AppView, under `/bluesky` of the origin."""
