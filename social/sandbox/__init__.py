"""The platforms, simulated: a process of its own with its own durable state. Imports no other room of `social`.

A platform is a folder here (`mastodon/`) with one object that fulfils `platform.Platform`, and one line in `app.py`.
Mastodon lives at the root, because an account's server *is* an origin; a later platform gets a prefix such as `/x`.
Everything of the sandbox itself (timeline, trouble, control) is under `/sandbox`.
"""
