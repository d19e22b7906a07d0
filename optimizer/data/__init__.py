"""Arrays people bring: read, checked against the model, split, described."""
