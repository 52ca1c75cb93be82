"""`social watch`: what happens in a workspace, live in a terminal.

A client like any other: it knows the API, and nothing of the product's insides.
"""
