"""What the README and the notes state about speed, measured again by ``make bench``."""
