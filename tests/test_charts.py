"""Charts: inline SVG that follows the page and never changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlworkflow.pages import charts
from mlworkflow.pages.tiny import tiny

HOSTILE = '<b>a & "b"</b>'
RISING = np.linspace(0, 1, 50)
CHARTS: dict[str, Callable[[str], str]] = {
    "lines": lambda name: charts.lines(
        [charts.Line(HOSTILE, RISING, RISING**2), charts.Line("$x_1$", RISING, RISING, points=True)],
        name=name,
        title=HOSTILE,
        x=HOSTILE,
        y="漢字",
        unit=True,
        diagonal=True,
    ),
    "confusion": lambda name: charts.confusion([[40, 2], [3, 55]], [HOSTILE, "no"], name=name, title="Confusion"),
    "residuals": lambda name: charts.residuals(
        np.sin(np.arange(9000)), np.cos(np.arange(9000)), name=name, title="Residuals"
    ),
    "clusters": lambda name: charts.clusters(RISING, RISING**2, np.arange(50) % 3, name=name, title="Clusters"),
    "bars": lambda name: charts.bars(
        [HOSTILE, "\x00 control"], [0.2, -0.1], name=name, title="Bars", x="loss", spreads=[0.1, 0.1]
    ),
    "ladder": lambda name: charts.ladder(
        [charts.Rung(HOSTILE, 0.5), charts.Rung("model", 0.9, 0.8, 0.95, strong=True)],
        name=name,
        title="Ladder",
        x="roc_auc",
        zero=True,
    ),
    "tiny": lambda name: tiny([[1, 2, 0], [0, 1, 5]], title=HOSTILE),
}


@pytest.mark.parametrize("kind", CHARTS)
def test_a_chart_is_valid_and_loads_nothing_and_takes_its_colours_from_the_page(kind: str) -> None:
    svg = CHARTS[kind]("one")
    root = ElementTree.fromstring(svg)
    assert root.tag == "svg"
    assert root.get("viewBox")
    assert root.get("role") == "img"
    assert "http" not in svg
    assert "<style" not in svg
    assert "font-family" not in svg
    assert "xlink" not in svg
    assert not re.search(r"#[0-9a-f]{6}", svg)
    assert "var(--c1)" in svg
    for target in re.findall(r'(?:href="#|url\(#)([^")]+)', svg):
        assert target.startswith("one-")
        assert f'id="{target}"' in svg


@pytest.mark.parametrize("kind", CHARTS)
def test_hostile_words_are_text(kind: str) -> None:
    svg = CHARTS[kind]("one")
    assert "<b>" not in svg
    if kind in ("lines", "bars", "ladder", "tiny"):
        assert HOSTILE in "".join(ElementTree.fromstring(svg).itertext())


def test_dollars_in_a_name_are_no_mathematics_and_control_characters_are_gone() -> None:
    assert ">$x_1$<" in CHARTS["lines"]("one")
    assert "\x00" not in CHARTS["bars"]("one")


def test_two_charts_of_a_page_share_no_id() -> None:
    ids = [re.findall(r' id="([^"]+)"', CHARTS["clusters"](name)) for name in ("one", "two")]
    assert ids[0]
    assert ids[1]
    assert not set(ids[0]) & set(ids[1])


def test_of_many_points_at_most_two_thousand_are_drawn() -> None:
    assert CHARTS["residuals"]("one").count("<use") < 2100


def test_large_numbers_are_written_out() -> None:
    svg = charts.ladder([charts.Rung("a", 2.5e6), charts.Rung("b", -1e6)], name="one", title="Money", x="euros")
    assert ">2M<" in svg
    assert ">−1M<" in svg
    assert "1e" not in re.sub(r'"[^"]*"', "", svg)


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were() -> None:
    import matplotlib

    matplotlib.rcParams["axes.xmargin"] = 0.4
    try:
        changed = CHARTS["clusters"]("one")
        assert matplotlib.rcParams["axes.xmargin"] == 0.4
    finally:
        matplotlib.rcdefaults()
    assert changed == CHARTS["clusters"]("one")


def test_the_bytes_are_the_same_in_another_process_home_and_locale(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_charts import CHARTS;"
        "sys.stdout.buffer.write(''.join(draw('one') for draw in CHARTS.values()).encode())"
    )
    (tmp_path / "matplotlibrc").write_text("axes.xmargin: 0.4\n")
    env = {
        **os.environ,
        "HOME": str(tmp_path / "none"),
        "MPLCONFIGDIR": "/dev/null/x",
        "LC_ALL": "C",
        "TZ": "Asia/Tokyo",
    }
    command = [sys.executable, "-W", "error", "-c", code, str(Path(__file__).parent)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.decode() == "".join(draw("one") for draw in CHARTS.values())
