"""What a cell of ``%%tbsql`` says, and what becomes of it.

| module | question it answers |
|---|---|
| `options` | which options are there? (data) |
| `arguments` | what does a cell say? (values) |
| `grammar` | how is that read from its line? (pure) |
| `prepared` | what is sent for it, and how do errors find their way back into the user's text? |
| `table` | the default: where do the rows go, and what stands under them? |
| `comparison`, `expectations` | how does a result compare with the last one, with what was expected? |
| `charts` | how is a result drawn? |
| `live`, `background` | how does a cell run again and again, or beside the kernel? |
| `to_file` | how do rows get into a file? |
| `plan`, `explaining` | how would a query be run? |
| `dry_run`, `formatting` | what can be told without running it? |
| `publishing`, `pipe_parameters` | how does a cell become a Pipe? |
| `persisting` | how does a DataFrame become a Data Source, in JupySQL's words? |

`tinymagic.notebook.tbsql` decides which of them a cell needs; they are imported then.
"""
