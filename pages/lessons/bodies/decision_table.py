"""The page of the lesson with the decision table."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from optimizer.advise.case import OUT, Reason
from optimizer.advise.wish import PRIORITIES, TARGETS, Wish
from optimizer.charts.lessons_decision_table import points_figure
from optimizer.lessons import decision_table as lesson_math
from optimizer.lessons.decision_table import (
    DATA,
    DATA_RULES,
    DOCUMENTED,
    LOSSES,
    STANDINGS,
    Data,
    Verdict,
)
from optimizer.lessons.lesson import Exercise, Lesson
from optimizer.lessons.registry import find_lesson
from optimizer.measured import measured
from optimizer.store.records import Variant
from pages.lessons import frame
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.terms import LEARN, term_link

_SHOWN = 3
"""How many of the best techniques are shown with their reasons, and tried."""


def draw(lesson: Lesson) -> None:
    """Draw the lesson."""
    frame.begin(
        lesson,
        "Four questions decide: where will it run, what matters most, what may be lost, and what "
        f"data is at hand: none, a {term_link('representative dataset')}, or labelled training "
        "data. The answers come from rules, and each rule has its source.",
    )
    wish = lesson_math.PREDICTED
    truth = {verdict.technique.key: verdict for verdict in lesson_math.decide(wish, "labelled")}
    picked = frame.predict_choice(
        lesson,
        f"The target is a **{TARGETS[wish.target].lower()}**, what matters most is the "
        f"**{PRIORITIES[wish.priority].lower()}**, one point may be lost, and there is labelled "
        "data. Which of these does **not** serve the goal, although the device can run it?",
        {key: truth[key].technique.label for key in ("int8", "prune", "channels", "float16")},
    )
    if picked is None:
        return
    useless = [verdict for verdict in truth.values() if verdict.standing == "useless"]
    right = [verdict for verdict in useless if verdict.technique.key in ("prune", "int8")]
    frame.see()
    frame.verdict(
        picked in {verdict.technique.key for verdict in right},
        " ".join(f"**{verdict.technique.label}**: {_worst(verdict).text}" for verdict in right)
        + f" float16 is out for another reason: {_worst(truth['float16']).text}",
    )
    wish, data = _questions()
    found = lesson_math.decide(wish, data)
    _table(found)
    best = [verdict for verdict in found if verdict.points > 0][:_SHOWN]
    _reasons(best)
    _rules()
    frame.remember(lesson)
    _try(lesson, wish, best)
    frame.next_lesson(lesson)


def _worst(verdict: Verdict) -> Reason:
    return min(verdict.reasons, key=lambda reason: reason.points)


def _questions() -> tuple[Wish, Data]:
    st.markdown("**Your case.** Change the answers and watch the order change.")
    with st.container(border=True, key="decision-questions"):
        left, right = st.columns(2, gap="large")
        target = left.selectbox(
            "Where it will run",
            list(TARGETS),
            format_func=TARGETS.__getitem__,
            key="decision-target",
            help="Each kind of hardware executes other formats, and others fast.",
        )
        priority = right.selectbox(
            "What matters most",
            list(PRIORITIES),
            format_func=PRIORITIES.__getitem__,
            key="decision-priority",
            help="The download is compressed, the flash is not.",
        )
        may_lose = left.selectbox(
            "What may be lost of the accuracy",
            list(LOSSES),
            1,
            format_func=LOSSES.__getitem__,
            key="decision-loss",
            help="What the documentation's tables speak about; your model decides in the end.",
        )
        data: Data = right.selectbox(
            "Data at hand",
            list(DATA),
            2,
            format_func=DATA.__getitem__,
            key="decision-data",
            help="Training needs labels, calibration needs typical inputs.",
        )
    return Wish(target, priority, may_lose), data


def _table(found: list[Verdict]) -> None:
    draw_chart(
        points_figure(found),
        "decision-points",
        "Points of the rules: "
        + ", ".join(
            f"{verdict.technique.label} {verdict.points:+d}"
            for verdict in found
            if verdict.points > OUT // 2
        ),
        mode_bar=False,
    )
    st.dataframe(
        pd.DataFrame(
            {
                "Technique": [verdict.technique.label for verdict in found],
                "Verdict": [STANDINGS[verdict.standing] for verdict in found],
                "Weightiest reason": [
                    verdict.reasons[0].text if verdict.reasons else "No rule speaks about it."
                    for verdict in found
                ],
                "As": [verdict.recipe.name for verdict in found],
                "Trains": ["yes" if verdict.recipe.trains else "no" for verdict in found],
            }
        ),
        hide_index=True,
        height="content",
        column_config={
            "Technique": st.column_config.TextColumn(pinned=True),
            "Weightiest reason": st.column_config.TextColumn(width="large"),
            "As": st.column_config.TextColumn(help="The recipe that was judged."),
        },
        alt="What the rules make of each technique for these answers, the best first",
    )


def _reasons(best: list[Verdict]) -> None:
    if not best:
        st.info(
            "No rule speaks for any technique here. More data, or another goal, opens more.",
            icon=":material/info:",
        )
        return
    for place, column in enumerate(st.columns(len(best))):
        verdict = best[place]
        technique = verdict.technique
        lesson = find_lesson(technique.lesson_id)
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{place + 1}. {technique.label}**  \n:small[{verdict.recipe.name}]")
            st.markdown("\n".join(f"- {_said(reason)}" for reason in verdict.reasons))
            if lesson is not None:
                st.page_link(
                    LEARN,
                    label=lesson.title,
                    icon=":material/school:",
                    query_params={"lesson": lesson.id},
                )
    with st.container(horizontal=True):
        st.page_link(
            context.ADVISOR, label="The Advisor, for your model", icon=":material/assistant:"
        )
        st.page_link(context.OPTIMIZE, label="Make a recipe in Optimize", icon=":material/tune:")


def _said(reason: Reason) -> str:
    sign = "" if reason.points >= 0 else "Against it: "
    title = reason.source.title
    source = f"[{title}]({reason.source.url})" if reason.source.url else title
    return f"{sign}{reason.text} :small[({source})]"


def _points(points: int) -> str:
    return "takes it off the list" if points <= OUT else f"{points:+d}"


def _rules() -> None:
    with st.expander("All rules, with their sources", icon=":material/rule:"):
        rows = [
            (rule.text, _points(rule.points), rule.source.title, rule.source.url or None)
            for rule in DOCUMENTED
        ]
        rows += [
            (
                (rule.judge.__doc__ or "").splitlines()[0],
                _points(rule.points),
                rule.source.title,
                rule.source.url or None,
            )
            for rule in DATA_RULES
        ]
        st.dataframe(
            pd.DataFrame(rows, columns=["Rule", "Counts", "Source", "Page"]),
            hide_index=True,
            column_config={
                "Rule": st.column_config.TextColumn(width="large"),
                "Page": st.column_config.LinkColumn(display_text="open"),
            },
            alt="The rules of the decision table",
        )
        st.caption(
            "The Advisor uses the same rules, and more that look at your model and at what was "
            "measured of it."
        )


def _try(lesson: Lesson, wish: Wish, best: list[Verdict]) -> None:
    exercises = tuple(Exercise(verdict.technique.label, verdict.recipe) for verdict in best)
    if not exercises:
        frame.begin_trial("Change the answers until a rule speaks for a technique; it runs here.")
        return
    done = frame.try_it(
        replace(lesson, exercises=exercises),
        f"The {len(exercises)} best of your case, on the sample model. Does what the rules say "
        "hold for it? Latencies are this machine's, not the target's.",
    )
    if done:
        _conclude(done, [verdict.technique.label for verdict in best], wish.may_lose or 0.0)


def _conclude(variants: list[Variant], labels: list[str], may_lose: float) -> None:
    base, *others = (measured(variant) for variant in variants)
    if base is None or base.value is None:
        return
    keeps: list[str] = []
    breaks: list[str] = []
    for label, item in zip(labels, others, strict=True):
        if item is None or item.value is None:
            return
        lost = base.value - item.value
        (keeps if lost <= may_lose + 1e-9 else breaks).append(f"{label} ({-100 * lost:+.2f})")
    st.markdown(
        f"At most {100 * may_lose:.1f} points may be lost. Kept: {', '.join(keeps) or 'by none'}."
        + (f" Broken: {', '.join(breaks)}." if breaks else "")
        + f" One of the {base.samples} test images is {100 / (base.samples or 1):.2f} points."
    )
