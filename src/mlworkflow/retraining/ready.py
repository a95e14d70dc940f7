"""May a model be retrained here and now? Every reason against it at once, before anything is made.

Retraining works in a clone of HEAD. So what the workspace has and HEAD has not would be passed over in silence, and the
branch that comes of it could not be merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.config import conf
from mlworkflow.core import io, paths
from mlworkflow.core.errors import ProjectError, listed
from mlworkflow.core.processes import git
from mlworkflow.doctoring.hashing import path_md5
from mlworkflow.doctoring.symptom import some
from mlworkflow.releasing import bundles
from mlworkflow.releasing.ready import nobody
from mlworkflow.retraining.place import RetrainError

if TYPE_CHECKING:
    import pandas as pd

    from mlworkflow.core.params import Retrain
    from mlworkflow.core.problem import Problem
    from mlworkflow.releasing.tags import Release
    from mlworkflow.retraining.rows import Gathered
    from mlworkflow.rows.schema import Schema

LOG = Path("data/predictions")
BRANCHES = "refs/heads/retrain/"
# what an experiment in a clone of HEAD rests on, and what the branch changes
OF_HEAD = (
    *("conf", "plugins", "src", "params.yaml", "dvc.yaml", "dvc.lock", "requirements.lock", ".dvc/config"),
    *("metrics", "*.dvc"),
)


@dataclass(frozen=True)
class Ready:
    """What a retraining begins with.

    Attributes:
        champion: the version in service.
        bundle: the folder with its bundle.
        raw: the table of the problem's source.
        new: the rows of use that it does not hold.
    """

    champion: Release
    bundle: Path
    raw: pd.DataFrame
    new: Gathered


def ready(problem: Problem, policy: Retrain, say: Callable[[str], None]) -> Ready:
    """Return what there is to begin with. Raises RetrainError: what stands in the way, all of it."""
    root = Path()
    found = [*unfit(problem), *ahead_of_head(root), *stale(), *other_table(root, problem), *unnamed(root)]
    champion = bundle = None
    try:
        champion = bundles.current(policy.stage, problem.name)
        found += unmerged(root, champion)
        bundle = bundles.fetch(champion, say=say)
    except ProjectError as error:
        found.append(_in_one_line(error))
    raw = new = None
    if problem.data.target is not None:
        try:
            raw, new = rows(problem, bundle)
            found += too_few(problem, policy, new)
        except ProjectError as error:
            found.append(_in_one_line(error))
    if found or champion is None or bundle is None or raw is None or new is None:
        raise RetrainError(f"{problem.name} cannot be retrained:\n{listed(found)}")
    return Ready(champion, bundle, raw, new)


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def unfit(problem: Problem) -> Iterator[str]:
    """Yield why the problem is none to be retrained."""
    if problem.data.target is None:
        yield "the problem has no target: of clusters no outcome comes"
    if problem.split.scheme == "column":
        yield "the problem's split names test rows by a column, which rows of use do not have"


# ---- the workspace and HEAD ------------------------------------------------------------------------------------------


def ahead_of_head(root: Path) -> Iterator[str]:
    """Yield what the workspace has and HEAD, which is what a clone has, does not."""
    if git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").returncode:
        yield "the branch starts at a commit, but there is none. Type `git add -A && git commit`."
        return
    told = git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", "HEAD", "--", *OF_HEAD).stdout
    unknown = git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *OF_HEAD).stdout
    for names, words in ((told, "not committed"), (unknown, "not known to Git")):
        if there := [name for name in names.split("\0") if name]:
            yield (
                f"the branch starts at HEAD, but this is {words}: {some(there)}. "
                "Type `git add -A && git commit`, or `git stash -u`."
            )


def stale() -> Iterator[str]:
    """Yield that params.yaml was not composed from today's conf/: what was changed there would not count."""
    try:
        conf.check()
    except ProjectError as error:
        yield _in_one_line(error)


def other_table(root: Path, problem: Problem) -> Iterator[str]:
    """Yield that the source's table is not the one that HEAD records: its rows would come to the branch unseen."""
    note = root / f"{problem.snapshot}.dvc"
    if not note.is_file() or not (root / problem.snapshot).exists():
        return
    recorded = next((out.get("md5") for out in io.read_yaml(note).get("outs") or []), None)
    if recorded is not None and path_md5(root, problem.snapshot) != recorded:
        yield (
            f"{problem.snapshot} is not the table that {problem.snapshot}.dvc records. Type `dvc add "
            f"{problem.snapshot}` and commit, or `dvc checkout {problem.snapshot}`."
        )


def unnamed(root: Path) -> Iterator[str]:
    """Yield that a commit could not say who made it."""
    return (one.told for one in nobody(root))


def unmerged(root: Path, champion: Release) -> Iterator[str]:
    """Yield that the version in service was released from a branch of ours that HEAD does not hold.

    Its rows would be taken for new ones, and it would be judged on rows that it was fitted on.
    """
    if git(root, "merge-base", "--is-ancestor", champion.commit, "HEAD").returncode == 0:
        return
    found = git(root, "for-each-ref", "--format=%(refname:short)", "--points-at", champion.commit, BRANCHES)
    if branch := next(iter(found.stdout.split()), None):
        yield (
            f"{champion.version}, which {champion.stage} is at, was made on {branch}, and HEAD does not hold it. "
            f"Type `git merge --ff-only {branch} && dvc checkout`; if it was merged in another way, "
            f"`git branch -D {branch}`."
        )


# ---- the rows --------------------------------------------------------------------------------------------------------


def rows(problem: Problem, bundle: Path | None) -> tuple[pd.DataFrame, Gathered]:
    """Return (the table of the problem's source, the new rows), read as the bundle says, else as the table shows.

    Raises:
        ProjectError: the source or the log cannot be read.
    """
    from mlworkflow.retraining.rows import gathered
    from mlworkflow.stages.collect import collect

    raw = collect(problem)
    return raw, gathered(raw, problem, _schema(bundle, raw, problem), LOG, paths.PRODUCTION)


def _schema(bundle: Path | None, raw: pd.DataFrame, problem: Problem) -> Schema:
    from mlworkflow.rows.infer import infer
    from mlworkflow.rows.schema import Schema

    return infer(raw, problem) if bundle is None else Schema.from_dict(io.read_json(bundle / "schema.json"))


def too_few(problem: Problem, policy: Retrain, new: Gathered) -> Iterator[str]:
    """Yield that the new rows teach nothing."""
    if len(new.rows) < policy.fewest_rows:
        yield (
            f"{policy.fewest_rows} new labelled rows are needed (conf/retrain), there are {len(new.rows)}"
            f"{_told(new.ledger)}. Outcomes come by POST /feedback of the server, or in files with the target in "
            f"{paths.PRODUCTION}/."
        )
    elif problem.task != "regression" and new.rows[problem.data.target].nunique() < 2:
        only: Any = new.rows[problem.data.target].iloc[0]
        yield f"all {len(new.rows)} new rows have the outcome {only!r}: nothing can be learnt of them. Wait for others."


def _told(ledger: Mapping[str, int]) -> str:
    words = "; ".join(f"{what}: {count:,}" for what, count in ledger.items() if count and what != "new rows")
    return f" ({words})" if words else ""
