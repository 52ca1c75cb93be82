"""Why nothing was started, in one sentence for the person at the terminal."""


class Unfit(Exception):
    """This machine or this data folder cannot run a server of ours. The message names the setting or option to use."""


class Said(Unfit):
    """A child has already told the person why, in the same terminal; there is nothing to add."""
