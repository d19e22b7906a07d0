"""What a ``.tflite`` would need on a microcontroller: estimates, each with its source."""
