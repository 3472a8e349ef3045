"""Copies as far as they need nobody else: which columns fit into a Data Source, and whose turn it is."""
