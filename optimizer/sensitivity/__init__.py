"""What each layer alone costs, and recipes that spare the layers that cost most."""
