"""The parts of the page that looks into one variant."""
