"""Side-by-side measurements: ``make bench`` runs them all on this machine in one run and writes RESULTS.md.

Contestants take turns, so that a slow moment of the machine hits all of them; what counts is the ratio of medians.
"""
