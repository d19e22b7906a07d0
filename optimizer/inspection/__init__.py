"""A closer look at one variant: its layers, its mistakes, and where its time goes.

What only reads the file (:mod:`~optimizer.inspection.layers`, :mod:`~optimizer.inspection.kernels`)
is computed where it is asked for. What runs the file is a stage: :mod:`predictions`,
:mod:`activations`, :mod:`profile`. Nothing here imports TensorFlow.
"""
