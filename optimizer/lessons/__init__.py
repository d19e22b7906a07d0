"""Interactive lessons: what they teach, the mathematics they draw, and what they let run.

Each lesson is a module of its own with a ``LESSON`` and pure functions; its page body is the
module of the same name in ``pages/lessons/bodies``, its figures are in
``optimizer/charts/lessons_*.py``.
"""
