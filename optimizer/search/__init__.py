"""A search that keeps its promise: the best recipe under constraints, confirmed on unseen data.

Pure parts, each tested without an engine; :mod:`optimizer.engine.searching` executes them.
"""
