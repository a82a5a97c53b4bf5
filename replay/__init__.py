"""The same brains over history: what if, with other rules and playbooks. Reads the log, writes a report; sends nothing.

`streams` gives the brains again what they were given, in the same order; `start` finds where to begin; `run` does it
all; `told` is what was said, in history or in a replay; `compare` tells two of them apart.
"""
