"""The web server around the pages: who gets in, what every response says, and its health."""
