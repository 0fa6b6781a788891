"""Modules for `evaluate`, one folder each."""
