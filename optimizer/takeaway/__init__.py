"""What a person takes away from a variant: C array, script, phone commands, and all in a zip."""
