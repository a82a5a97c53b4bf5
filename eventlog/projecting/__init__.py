"""Fact by fact: which row it changes. Used by `eventlog.projections`."""
