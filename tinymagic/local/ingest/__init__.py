"""Rows of a file into a table: each one stored, quarantined or counted."""
