"""Where people ask: reads requests as people write them, writes topics conditions and incidents, reads the answers in
the log.

The board, the command line and the HTTP API all go through here, so that the same words mean the same everywhere.
"""
