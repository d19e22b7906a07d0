"""The small converted models of the measurements' tests."""

from tests.measure.conftest import cnn, words

__all__ = ["cnn", "words"]
