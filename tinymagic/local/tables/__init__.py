"""A Data Source as a table: schema text, types, engines, changes."""
