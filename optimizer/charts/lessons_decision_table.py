"""Figure of the lesson with the decision table."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from optimizer.advise.case import OUT
from optimizer.charts.style import BLUE, ORANGE, styled
from optimizer.lessons.decision_table import STANDINGS, Verdict


def points_figure(found: Sequence[Verdict]) -> go.Figure:
    """Draw what the rules count for and against each technique that is not off the list.

    Args:
        found: the best first.
    """
    listed = [verdict for verdict in reversed(found) if verdict.points > OUT // 2]
    bars = []
    for name, sign, color in (("For it", 1, BLUE), ("Against it", -1, ORANGE)):
        chosen = [
            [reason for reason in verdict.reasons if sign * reason.points > 0] for verdict in listed
        ]
        bars.append(
            {
                "type": "bar",
                "orientation": "h",
                "y": [verdict.technique.label for verdict in listed],
                "x": [sum(reason.points for reason in reasons) for reasons in chosen],
                "name": name,
                "marker": {"color": color},
                "customdata": [
                    f"{STANDINGS[verdict.standing]}<br>"
                    + "<br>".join(f"{reason.points:+d} {reason.text}" for reason in reasons)
                    for verdict, reasons in zip(listed, chosen, strict=True)
                ],
                "hovertemplate": "%{customdata}<extra>%{y}</extra>",
            }
        )
    return styled(
        bars,
        x_title="Points of the rules",
        y_title="",
        height=110 + 30 * max(2, len(listed)),
        barmode="relative",
    )
