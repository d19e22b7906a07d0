"""Files people bring: looked at without loading, refused or loaded, brought to one Keras."""
