"""What the panels know and can do: one model each, of traits, without a browser and without ipywidgets."""
