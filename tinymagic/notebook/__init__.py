"""The notebook: magics, their grammar, binding of values, display. No HTTP; nothing heavy is imported by loading it.

| module | question it answers |
|---|---|
| `extension` | what do ``%load_ext`` and ``%unload_ext`` do? (magics, ``%config TinyMagic``) |
| `session` | which Workspace does the next cell talk to? |
| `arguments` | what does a magic's line say? (pure) |
| `parameters` | which ``{{ }}`` are in a text, and what is sent instead? (pure) |
| `values` | how is a Python value written so that the server reads the same value? (pure) |
| `tbsql` | ``%tbsql`` and ``%%tbsql`` |
| `tinybird` | ``%tinybird``: finds the command in the table, shows help |
| `command_table` | every command of ``%tinybird``, as data |
| `commands` | what the commands do, one file per noun |
| `display` | the table and the line under it; nothing in data acts as markup |
| `failures` | what a failed cell shows |
| `source` | where in the user's cell is offset N of the SQL? (pure) |
| `history` | how is a token that was typed into a cell taken out of IPython's history? |
| `samples` | the sample data sets |
"""
