"""Pipes: what the names in SQL mean, and how nodes and Pipes that read each other become one statement.

=================  ==================================================================
`definitions`      what a request says about a Pipe and its nodes -> records
`meanings`         a name in SQL -> a table, a node of a Pipe, or nothing
`composition`      a text and parameters -> one SELECT with everything it reads in place
`assembly`         the work on one such statement
`branching`        a Pipe for a branch
`outputs`          what a node may be beside an endpoint: view, copy, sink
=================  ==================================================================
"""
