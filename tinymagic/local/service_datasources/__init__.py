"""The database ``tinybird``: what happened, noted and kept."""
