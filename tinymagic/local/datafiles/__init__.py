"""Datafiles: the ``.datasource``, ``.pipe`` and ``.connection`` texts of a project, read and printed. Pure.

===================  ================================================================
`model`              what a file says, and what is wrong in it
`parsing`            the door: text -> `model`
`statements`         text -> keyword, value, place; where a value of many lines ends
`includes`           INCLUDE: lines of other files
`keywords`           which keywords there are, and the nearest one
`datasource_files`   what the statements of each kind of file mean;
`pipe_files`,        `common` has what they share
`connection_files`
`printing`           `model` -> text
===================  ================================================================
"""
