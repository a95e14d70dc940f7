"""Which task it is, and which class is looked for."""

from __future__ import annotations

import math
from typing import Any

from mlworkflow.core.errors import nearest
from mlworkflow.core.problem import Task
from mlworkflow.new.asked import Asked, Proposal, ProposalError, few
from mlworkflow.new.look import Evidence

POSITIVE = {"yes": "no", "true": "false", "1": "0", "y": "n", "t": "f", "positive": "negative", "pos": "neg"}
MOST_WHOLE_CLASSES = 10  # a target of more different whole numbers is a quantity
MOST_CLASSES = 100


def decide_task(made: Proposal, seen: dict[str, Evidence], asked: Asked) -> Task:
    """Decide what kind of question the target asks."""
    if asked.target is None:
        if asked.task != "clustering":
            told = f"--target is missing: which column is predicted ({few(list(seen))})?"
            raise ProposalError([f"{told} Or add --task clustering, to find groups"])
        task, why = "clustering", "--task says so: nothing is predicted"
        made.problem |= {"task": task, "clusters": 3}
        made.decide("task", f"{task}, 3 groups", why)
        return "clustering"
    task, why = _task_of(seen[asked.target], asked)
    made.problem["task"] = task
    made.classes = list(seen[asked.target].common) if task in ("binary", "multiclass") else []
    made.decide("task", task, why)
    return task


def _task_of(target: Evidence, asked: Asked) -> tuple[Task, str]:
    if target.distinct < 2:
        raise ProposalError([f"--target: {target.name!r} has {_only(target)}; there is nothing to tell apart"])
    if asked.task is not None:
        return _fits(target, asked.task), "--task says so"
    few = target.distinct <= MOST_WHOLE_CLASSES
    counted = target.name not in asked.categorical and target.kind == "number"
    if counted and not (target.whole and few):
        return "regression", f"{target.name} holds {target.distinct:,} different numbers"
    if target.distinct > MOST_CLASSES:
        told = f"--target: {target.name!r} has {target.distinct:,} different words, too many for classes"
        raise ProposalError([f"{told}; is it a key or a text?"])
    kind: Task = "binary" if target.distinct == 2 else "multiclass"
    numbers = " whole numbers, taken for classes (--task regression if they are amounts)" if counted else " classes"
    return kind, f"{target.name} has {target.distinct}{numbers}: {_shares(target)}"


def _only(column: Evidence) -> str:
    return f"only the value {next(iter(column.common))!r}" if column.common else "no value in any row"


def _fits(target: Evidence, task: Task) -> Task:
    if task == "clustering":
        raise ProposalError(["--target: a clustering has no target; leave it out, or --drop the column"])
    if task == "regression" and target.kind != "number":
        words = [word for word in target.common if not _is_number(word)]
        raise ProposalError([f"--task regression: {target.name!r} holds words such as {words[0]!r}"])
    if task == "binary" and target.distinct != 2:
        raise ProposalError([f"--task binary: {target.name!r} has {target.distinct:,} different values, not 2"])
    return task


def _is_number(word: str) -> bool:
    try:
        return not math.isnan(float(word))
    except ValueError:
        return False


def _shares(column: Evidence, most: int = 4) -> str:
    known = max(column.rows - column.missing, 1)
    parts = [f"{word} {count / known:.0%}" for word, count in list(column.common.items())[:most]]
    return ", ".join(parts) + (", …" if column.distinct > most else "")


def decide_positive(made: Proposal, seen: dict[str, Evidence], asked: Asked, task: Task) -> None:
    """Decide which of two classes is looked for."""
    data: dict[str, Any] = {"target": asked.target}
    made.problem["data"] = data
    if asked.positive is not None and task != "binary":
        raise ProposalError([f"--positive is for two classes, but the task is {task}"])
    if task != "binary" or asked.target is None:
        return
    words = list(seen[asked.target].common)
    if asked.positive is not None and asked.positive not in words:
        raise ProposalError(
            [f"--positive: {asked.target!r} has no class {asked.positive!r}{nearest(asked.positive, words)}"]
        )
    folded = [word.casefold() for word in words]
    told = [word for word in words if POSITIVE.get(word.casefold()) in folded]
    if asked.positive is not None:
        data["positive"], why = asked.positive, "--positive says so"
    elif len(told) == 1:
        data["positive"], why = told[0], f"of {words[0]} and {words[1]} it sounds like the event"
    else:
        data["positive"], why = words[1], f"the rarer of {words[0]} and {words[1]}"
    made.decide("positive", data["positive"], why)
