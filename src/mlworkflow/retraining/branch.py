"""The branch: a commit with the new data version and the champion, and one with the winner. Each is made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlworkflow.core import io, paths
from mlworkflow.releasing.ready import head_of
from mlworkflow.retraining import version
from mlworkflow.retraining.origin import FILE, Origin
from mlworkflow.retraining.place import Place
from mlworkflow.serving.folder import PIPELINE

if TYPE_CHECKING:
    from mlworkflow.core.problem import Problem
    from mlworkflow.retraining.ready import Ready
    from mlworkflow.retraining.result import Result
    from mlworkflow.retraining.version import Version

WINNER = "refs/mlworkflow/winner"  # in the clone: the commit that takes the champion's place


def begin(where: Place, given: Ready, made: Version, problem: Problem, origin: Origin | None, because: str) -> None:
    """Bring the branch to the commit with the new data version and the champion.

    Args:
        where: the clone.
        given: what the retraining begins with.
        made: the new data version.
        problem: the question.
        origin: what the champion was fitted as.
        because: why the model is retrained.
    """
    table, kept = version.table_path(problem), paths.SNAPSHOTS / f"{problem.name}-champion.skops"
    where.git("reset", "-q", "--hard")  # what a killed run left
    if done := where.first_since(head_of(where.home)):
        where.git("reset", "-q", "--hard", done)  # a winner that was promoted then is promoted again
        where.type("dvc", "checkout", f"{table}.dvc", f"{kept}.dvc")
        return
    model = io.read_bytes(given.bundle / PIPELINE)
    for content, path in ((made.content, table), (model, kept)):
        (where.folder / path).unlink(missing_ok=True)  # it may be a link into the cache
        io.write_bytes(content, where.folder / path)
    where.type("dvc", "add", table.as_posix(), kept.as_posix())
    conf = where.folder / paths.CONF / "problem" / f"{problem.name}.yaml"
    io.write_text(version.edited(conf.read_text(encoding="utf-8"), made, problem, table, given.new.rows), conf)
    threshold, was = io.read_json(given.bundle / "threshold.json"), None if origin is None else origin.to_dict()
    io.write_text(version.champion_file(model, threshold, problem.task, kept, was), where.folder / FILE)
    where.type("mlworkflow", "compose")
    subject = f"{given.new.ledger['new rows']:,} rows of use for {problem.name}"
    where.git("add", "-A")
    where.git("commit", "-q", "-m", subject, "-m", f"Because: {because}")


def promote(where: Place, made: Result, experiment: str) -> None:
    """Bring the branch to the winner's commit; it is made once, as a release is a tag of it."""
    subject = f"{made.chosen.name} takes the place of {made.champion}"
    where.git("reset", "-q", "--hard")
    if where.git("for-each-ref", "--format=%(subject)", WINNER) == subject:
        where.git("reset", "-q", "--hard", WINNER)
        where.type("dvc", "checkout", "--force")
        return
    where.type("mlworkflow", "promote", experiment, "--commit")
    where.git("commit", "--amend", "-q", "-m", subject, "-m", made.chosen.sentence, "-m", f"Because: {made.reason}")
    where.git("update-ref", WINNER, "HEAD")
