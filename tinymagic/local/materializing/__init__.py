"""Materialized views as far as they are text: which Data Source a SELECT hangs on, and what table it can fill. Pure."""
