"""The notebook: magics, their grammar, binding of values, display. No HTTP; nothing heavy is imported by loading it.

| module | question it answers |
|---|---|
| `extension` | what do ``%load_ext`` and ``%unload_ext`` do? (magics, ``%config TinyMagic``) |
| `session` | which Workspace does the next cell talk to? |
| `cells` | what does a cell of ``%%tbsql`` say, and what becomes of it? |
| `options`, `words` | which options are on a line, and which words? (pure) |
| `bindings` | which ``{{ }}`` are in a text? (pure) |
| `parameters` | what is sent in their place, and what beside it? (pure) |
| `templates` | which variables does a Tinybird template name? (pure) |
| `values` | how is a Python value written so that the server reads the same value? (pure) |
| `tbsql` | ``%tbsql`` and ``%%tbsql`` |
| `tinybird` | ``%tinybird``: finds the command in the table, shows help |
| `tree` | every command of ``%tinybird``, as data |
| `commands` | what the commands do, one file per noun |
| `display` | the table and the line under it; nothing in data acts as markup |
| `failures` | what a failed cell shows |
| `problems` | what is wrong with a cell before anything is sent? |
| `source` | where in the user's cell is offset N of the SQL? (pure) |
| `history` | how is a token that was typed into a cell taken out of IPython's history? |
| `samples` | the sample data sets |
"""
