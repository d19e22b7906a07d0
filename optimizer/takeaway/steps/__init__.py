"""The steps of the plain scripts, copied into them as text and never run from here.

A script gets the functions that its recipe needs, with the recipe's values instead of those in
:mod:`optimizer.takeaway.steps.values`; what a function uses of :mod:`optimizer.techniques` is
copied along. So a script repeats a variant byte for byte, on the same machine.
"""
