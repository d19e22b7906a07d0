"""Featherweight's library: make a Keras model small and fast, and measure what that costs.

Importing this package imports neither TensorFlow nor Streamlit; TensorFlow lives only in
the stage processes that :mod:`optimizer.engine` starts.
"""

__version__ = "0.1.0"
