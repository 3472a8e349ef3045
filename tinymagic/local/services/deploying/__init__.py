"""The parts of a deployment that know the engine, the catalogue and other services."""
