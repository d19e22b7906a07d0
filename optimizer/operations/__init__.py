"""Running the workbench: is it well, what has to be mended, backup and restore."""
