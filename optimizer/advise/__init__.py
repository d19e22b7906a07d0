"""What to try, and why: recipes ranked by rules that can be read, and by what was measured.

Every reason comes from one rule, a small function in :mod:`optimizer.advise.documented` (what a
documentation page says) or :mod:`optimizer.advise.evidence` (what was measured on this model);
the table :data:`optimizer.advise.rules.RULES` has them all with their sources. A rule that lacks
a figure says nothing.
"""
