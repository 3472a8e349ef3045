"""What SQL may run, and what it names: asked of the engine's own parser."""
