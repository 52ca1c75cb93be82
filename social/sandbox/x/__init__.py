"""X, simulated: API v2 with its OAuth 2 pages, under `/x` of the origin."""
