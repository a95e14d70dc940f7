"""A proposed problem as a file of conf/problem/, with comments that say what each part is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from mlworkflow.new.asked import Proposal

WIDTH = 118
COMMENTS = {
    "question": "put your own question in words; reports begin with it",
    "asked_by": "and who asks it",
    "snapshot": "the file whose change means new data",
    "origin": "where the snapshot was taken from",
    "data": "what the columns are",
    "contract": "what new data must keep to; `mlworkflow check FILE` tries a file",
    "prepare": "how rows are mended; reports/ledger.csv tells what it did",
    "split": "which rows are test rows",
    "treatments": "how a model sees a column, where the report's choice is wrong",
    "metrics": "the primary one decides",
    "stopping": "when a search ends",
    "rights": "whether the data may be used, and whom they describe",
}
VALUE = {
    "classes": [
        "# value: # what an outcome is worth; the threshold is chosen by it",
        "#   unit: EUR",
        "#   outcomes: # actual -> predicted -> worth of one row",
        "#     {positive}: {{{positive}: 0, {negative}: -100}}",
        "#     {negative}: {{{positive}: -10, {negative}: 0}}",
    ],
    "number": [
        "# value: # what an error is worth",
        "#   unit: EUR",
        "#   over: -1 # a unit predicted too high",
        "#   under: -1 # a unit predicted too low",
    ],
}
LIMITS = [
    "# constraints: # what a usable model must keep to",
    "#   largest_model_megabytes: 50",
    "#   slowest_prediction_milliseconds: 100",
]
LINE_BY_LINE = ("data", "contract", "prepare", "spelling", "split", "metrics", "stopping", "rights", "source", "origin")


class _OnOneLine(yaml.SafeDumper):
    """Writes words with a line break, such as the name of a column may have, in double quotes and escaped."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Return the node of words."""
        breaks = data.splitlines() not in ([], [data])
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if breaks else None)


_OnOneLine.add_representer(str, _OnOneLine.represent_str)


def text(proposal: Proposal, sections: Mapping[str, Any], note: str) -> str:
    """Return the file: `sections` in their order, comments, examples of what may be added.

    Args:
        proposal: for the model and search that the problem chooses.
        sections: the problem as plain types; see mlworkflow.core.problem.Problem.
        note: what stands on the first line.
    """
    lines = [f"# {''.join(sign if sign.isprintable() else ' ' for sign in note)}", "defaults:"]
    lines += [f"  - override /model@_global_.model: {proposal.model} # `-S model=...` tries another one"]
    lines += [f"  - override /search@_global_.search: {proposal.search}", ""]
    for key, value in sections.items():
        comment = f" # {COMMENTS[key]}" if key in COMMENTS else ""
        lines += _block(key, value, comment)
        lines += (
            [""] if key in ("task", "origin", "data", "contract", "prepare", "split", "metrics", "stopping") else []
        )
        lines += [*_examples(proposal, sections), ""] if key == "metrics" else []
    return "\n".join(lines).rstrip() + "\n"


def _block(key: str, value: Any, comment: str, indent: str = "") -> list[str]:
    """Return the lines of one key: a mapping of sections line by line, all else in flow style."""
    if isinstance(value, Mapping) and value and key in LINE_BY_LINE:
        inner = [line for name, item in value.items() for line in _block(name, item, "", f"{indent}  ")]
        return [f"{indent}{_flow(key)}:{comment}", *inner]
    return [f"{indent}{_flow(key)}: {_flow(value)}{comment}"]


def _flow(value: Any) -> str:
    """Return a value on one line of YAML."""
    said: str = yaml.dump(
        value, Dumper=_OnOneLine, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False
    )
    return said.removesuffix("\n").removesuffix("\n...")


def _examples(proposal: Proposal, sections: Mapping[str, Any]) -> Iterable[str]:
    data, task = sections["data"], sections["task"]
    if task == "binary":
        other = next(name for name in proposal.classes if name != data["positive"])
        words = {"positive": _flow(data["positive"]), "negative": _flow(other)}
        yield from (line.format(**words) for line in VALUE["classes"])
    if task == "regression":
        yield from VALUE["number"]
    yield from LIMITS
