"""The embedded Tinybird: `start`, `stop`, `status`. Importing this starts and loads nothing heavy."""
