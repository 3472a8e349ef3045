"""Datafiles: the `.datasource`, `.pipe` and `.connection` texts of a project, read and printed. Pure."""
