"""The process `notifier`: tells people, and says what became of it. Reads `incidents`, `commands`, `mirrors`; writes
outcomes to `incidents`.

`planning` decides whom a notification goes to over which channels, `withdrawal` what need not be told any more (both
pure); `store` keeps on disk what is under way; `line` is one channel with a thread of its own; `main` joins them.
"""
