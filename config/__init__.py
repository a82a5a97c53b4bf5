"""Strict configuration: YAML files into typed structs, with file, line and column in every error."""
