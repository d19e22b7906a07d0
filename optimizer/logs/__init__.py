"""What the app and the engine write down: one JSON object a line, in files of bounded size.

For people who run the workbench. What happened in one run, for whoever asked for it, is in
that run's own log (:mod:`optimizer.store.logs`).
"""
