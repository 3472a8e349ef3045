"""A project: a folder of datafiles beside the notebook.

`folder` reads one, `pulling` compares one with a Workspace, `problems` shows what a deployment says about one.
"""
