"""How the API shows things. Pure."""
