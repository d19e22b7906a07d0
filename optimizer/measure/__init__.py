"""Numbers from a ``.tflite``: size, weights, accuracy, latency, memory."""
