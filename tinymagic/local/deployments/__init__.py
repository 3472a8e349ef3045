"""Deployments: a whole project of datafiles against a workspace, all of it or nothing.

`project` reads the files, `fingerprint` tells what has changed, `target` makes the records that the workspace shall
have, `evolution` says how a table gets its new shape, `order` who comes before whom, `granting` what becomes of tokens
and tags. None of them changes anything. What tries a plan and carries it out is in `services.deploying`.
"""
