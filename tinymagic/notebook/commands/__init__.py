"""What the commands of ``%tinybird`` do, one file per noun.

Each function takes a `tinymagic.notebook.tinybird.Call`. It returns a DataFrame, or says in words what it did.
"""
