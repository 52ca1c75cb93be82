"""The explorers want the machine to themselves and find new orders on a faster one: they are run by hand, with MODEL
set, or by `python -m tests.bench model`. What the interpreter does is held against mongod with every change."""

import os

collect_ignore_glob = [] if "MODEL" in os.environ else ["test_model.py"]
