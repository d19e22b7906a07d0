"""What tfmot and TFLite can do to a flat tf_keras model. Runs in stage processes only."""
