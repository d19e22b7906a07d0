"""A study of a few variants, and what is asked of it."""

import numpy as np

from optimizer.explore.budgets import budget
from optimizer.explore.recommend import recommend
from optimizer.explore.recommend_text import recommendation_sentences
from optimizer.explore.table import explore_table
from tests.variants import baseline, results, variant

BROKEN = [{"promise": "at most 16 distinct weights", "kept": False, "found": "57"}]


STUDY = [
    baseline(),
    variant("tiny", found=results(gzip_bytes=5_000, value=0.90, latency={"ratio": 0.4})),
    variant("small", found=results(gzip_bytes=10_000, value=0.952)),
    variant("good", found=results(gzip_bytes=20_000, value=0.965)),
    variant("liar", found=results(gzip_bytes=4_000, value=0.96, promises=BROKEN)),
    variant("untimed", found=results(gzip_bytes=9_000, value=0.953, latency={"p50": None})),
    variant("waiting", state="queued"),
]


EVERY = np.ones(len(STUDY), bool)


def table(variants=STUDY):
    return explore_table(variants)


def names(found, flags):
    return [name for name, flag in zip(found.names, flags, strict=True) if flag]


def offered(found, *keys):
    return {key: budget(found, key) for key in keys}


def said(found, limits, goal="smallest", candidates=None):
    budgets = offered(found, *limits)
    candidates = np.ones(len(found), bool) if candidates is None else candidates
    chosen = recommend(found, goal, candidates, budgets, limits)
    return " ".join(recommendation_sentences(found, chosen, budgets, list(limits)))
