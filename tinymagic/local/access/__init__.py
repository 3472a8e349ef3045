"""Who may do what: tokens, JWTs, scopes, row filters."""
