"""Files that come in: on disk, over HTTP, recognised, and their columns guessed."""
