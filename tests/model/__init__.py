"""The publishing engine against every order of events: its own code on a simulated clock, network and database.

`table` and its neighbours interpret our filters and updates as mongod does; `mongod` asks the real one instead. `world`
runs two or three instances of the production code on either, `explorer` makes schedules from seeds and runs them,
`invariants` says what must hold, and `planted` breaks the production code in ways that the explorer must notice.
"""
