"""The leaderboard as a page: a table, a point with its interval an experiment, and what the numbers mean. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mlworkflow.measures.compare import BETTER, UNCLEAR, WORSE
from mlworkflow.measures.metrics import METRICS
from mlworkflow.pages import charts, templates
from mlworkflow.sweeping.board import FAILED, OTHER, SAME, Board, words

TONES = {BETTER: "good", WORSE: "bad", FAILED: "bad", UNCLEAR: "muted", SAME: "muted", OTHER: "warn"}
MOST_ROWS = 40  # in one chart


def page(board: Board, problem: str, commands: Sequence[str]) -> str:
    """Return the page as HTML; `commands` are those to type next."""
    told = [row.word for row in board.rows]
    return templates.render(
        "sweep.html",
        problem=problem,
        board=board,
        counts={"better": told.count(BETTER), "worse": told.count(WORSE), "unclear": told.count(UNCLEAR)},
        arrow="↑" if METRICS[board.metric].greater_is_better else "↓",
        tones=TONES,
        charts=_charts(board),
        words=words(board),
        commands=commands,
    )


def _charts(board: Board) -> list[dict[str, str]]:
    from markupsafe import Markup

    compared = [(row, row.difference) for row in board.rows if row.difference is not None]
    if not compared:
        return []
    rungs = [
        charts.Rung(row.label, told.value, told.low, told.high, strong=row.word in (BETTER, WORSE))
        for row, told in compared[:MOST_ROWS]
    ]
    title = f"How much better than the baseline, {board.metric}"
    svg = charts.ladder(
        rungs, name="differences", title=title, x="gain, above zero is better", zero=True, band=board.spread
    )
    caption = f"Intervals at {board.level:.2%}, so that all hold together at 95%; diamonds are clear and worth having."
    if board.spread:
        caption += " The grey band is the standard deviation over seeds."
    if len(compared) > MOST_ROWS:
        caption += f" The first {MOST_ROWS} of {len(compared)}."
    return [{"title": title, "svg": Markup(svg), "caption": caption}]
