"""Deployments: a whole project of datafiles against a workspace, all of it or nothing.

`project` reads the files, `fingerprint` tells what has changed, `evolution` how a table gets its new shape, `order` who
comes before whom. They are pure. `target` makes the records that the workspace shall have, `trial` tries them on empty
tables, and `switch` carries them out; these know the engine and the catalogue.
"""
