"""Checks an installation and says how to mend what it finds.

Each check is a small function of plain values, so that a test can break the one thing that it
looks at; :mod:`optimizer.operations.doctor.examine` gets the values from the machine.
"""
