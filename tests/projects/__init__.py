"""Whole Tinybird projects, written for the tests: datafiles, fixtures, events and what follows from them."""
