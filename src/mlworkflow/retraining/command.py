"""`mlworkflow retrain`: new rows of use, a branch, candidates, a review, and the commands to go on with."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mlworkflow.core import io, paths
from mlworkflow.core.processes import stoppable
from mlworkflow.retraining import candidates as tried
from mlworkflow.retraining import version as versions
from mlworkflow.retraining.choice import Chosen, choose
from mlworkflow.retraining.place import FOLDER, Place, RetrainError, alone, place
from mlworkflow.serving.folder import PIPELINE

if TYPE_CHECKING:
    from mlworkflow.core.params import Retrain
    from mlworkflow.core.problem import Problem
    from mlworkflow.releasing.tags import Release
    from mlworkflow.retraining.rows import Gathered

LOG = Path("data/predictions")
tell = partial(print, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Reason:
    """Why a model is retrained: an alarm, or words; `since`: (clock, seconds since 1970) of the alarm's beginning."""

    words: str
    since: tuple[str, float] | None = None


@dataclass(frozen=True)
class Result:
    """What came of a retraining.

    Attributes:
        problem: its name.
        champion: the version in service.
        branch: that holds it.
        reason: why.
        ledger: what rows came, and which were left out.
        chosen: the review's word, and what is taken.
        seconds: name of a candidate -> what its experiment took, where it was made in this run.
        tried: name -> what was done.
        released: the version that was released by itself; None: none was.
        commands: to go on with.
    """

    problem: str
    champion: str
    branch: str
    reason: str
    ledger: Mapping[str, int]
    chosen: Chosen
    seconds: Mapping[str, float] = field(default_factory=dict)
    tried: Mapping[str, str] = field(default_factory=dict)
    released: str | None = None
    commands: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        told = {name: getattr(self, name) for name in ("problem", "champion", "branch", "reason", "released")}
        return told | {
            "word": self.chosen.word,
            "chosen": self.chosen.name,
            "sentence": self.chosen.sentence,
            "rows": dict(self.ledger),
            "candidates": {name: told["word"] for name, told in self.chosen.reviews.items()},
            "commands": list(self.commands),
        }


def retrain(because: str | None, *, as_json: bool = False) -> int:
    """Retrain; return 0 where it went well, better or not.

    Raises:
        RetrainError: nothing can be retrained; what is wrong, all at once.
        ProjectError: a step failed; typed again, it goes on where it was.
    """
    from mlworkflow.retraining.page import page

    with alone(), stoppable():
        made = retrained(because)
        file = FOLDER / f"{made.branch.rpartition('/')[2]}.html"
        io.write_text(page(made), file)
    print(json.dumps(made.to_dict(), indent=2) if as_json else "\n".join([*_words(made), f"The page: {file}"]))
    return 0


def retrained(because: str | None) -> Result:
    """Return what came of it."""
    from mlworkflow.core.params import Retrain, read_params
    from mlworkflow.core.problem import Problem

    params = read_params()
    problem = Problem.model_validate(params["problem"])
    policy = Retrain.model_validate(params.get("retrain") or {"name": "default"})
    reason = reason_of(because, problem.name)
    champion, folder = _champion(policy, problem)
    raw, new = _rows(problem, folder, policy)
    made = versions.version(raw, new, problem, reason.since)
    digest = versions.digest(made, io.read_bytes(folder / PIPELINE), reason.since)
    branch = f"retrain/{problem.name}-{digest}"
    where = place(branch, tell)
    _prepare(where, made, new, problem, folder, reason)
    setting = _setting(where, made, problem, folder, policy, champion)
    options = tried.candidates(setting)
    seconds = {one.name: _run(where, one, digest) for one in options}
    names = [one.name for one in options if one.name != tried.CHAMPION]
    chosen = choose(names, tried.CHAMPION, partial(_reviewed, where, digest))
    result = Result(
        problem.name, champion.version, branch, reason.words, new.ledger, chosen, seconds,
        {one.name: one.words for one in options},
    )  # fmt: skip
    return _concluded(where, result, digest, policy)


# ---- what there is ---------------------------------------------------------------------------------------------------


def reason_of(because: str | None, problem: str) -> Reason:
    """Return why: the alarm that lasts and is named, else the words as they are; without any, the alarms that last."""
    from mlworkflow.watch.alarms import lasting

    alarms = {told["alarm"]: told for told in lasting(problem)}
    told = alarms.get(because or "") or (next(iter(alarms.values()), None) if because is None else None)
    if told is None:
        return Reason(because or "asked for by hand: no alarm lasts")
    since = None if told.get("begun") is None else (str(told["clock"]), float(told["begun"]))
    return Reason(f"{told['alarm']} since {told['since']}: {told['words']}", since)


def _champion(policy: Retrain, problem: Problem) -> tuple[Release, Path]:
    """Return (the version in service, its bundle). Raises ReleaseError: there is none."""
    from mlworkflow.releasing.bundles import current, fetch

    release = current(policy.stage, problem.name)
    return release, fetch(release, say=tell)


def _rows(problem: Problem, folder: Path, policy: Retrain) -> tuple[Any, Gathered]:
    """Return (the raw table of the problem's source, the new rows). Raises RetrainError: they are not enough."""
    from mlworkflow.retraining.rows import gathered
    from mlworkflow.rows.schema import Schema
    from mlworkflow.stages.collect import collect

    found = []
    if problem.data.target is None:
        found.append("the problem has no target: of clusters no outcome comes")
    if problem.split.scheme == "column":
        found.append("the problem's split names test rows by a column, which rows of use do not have")
    if found:
        raise RetrainError(_told(problem, found))
    raw = collect(problem)
    new = gathered(raw, problem, Schema.from_dict(io.read_json(folder / "schema.json")), LOG, paths.PRODUCTION)
    if len(new.rows) < policy.fewest_rows:
        ledger = "; ".join(f"{what}: {count:,}" for what, count in new.ledger.items() if count)
        found.append(
            f"{policy.fewest_rows} new labelled rows are needed (conf/retrain), there are {len(new.rows)} ({ledger})"
        )
    elif problem.task != "regression" and new.rows[problem.data.target].nunique() < 2:
        found.append(f"all new rows have the outcome {new.rows[problem.data.target].iloc[0]!r}")
    if found:
        raise RetrainError(_told(problem, found))
    return raw, new


def _told(problem: Problem, found: list[str]) -> str:
    lines = "\n".join(f"  - {line}" for line in found)
    return (
        f"{problem.name} cannot be retrained:\n{lines}\n"
        "Outcomes come by POST /feedback of the server, or in files with the target in data/production/."
    )


# ---- on the branch ---------------------------------------------------------------------------------------------------


def _prepare(
    where: Place, made: versions.Version, new: Gathered, problem: Problem, folder: Path, reason: Reason
) -> None:
    """Bring the branch to the commit with the new data version and the champion; it is made once."""
    subject = f"{new.ledger['new rows']:,} rows of use for {problem.name}"
    table, kept = versions.table_path(problem), paths.SNAPSHOTS / f"{problem.name}-champion.skops"
    where.git("reset", "-q", "--hard")  # what a killed run left
    commits = [line.partition(" ") for line in where.git("log", "-20", "--format=%H %s").splitlines()]
    if done := next((commit for commit, _, told in commits if told == subject), None):
        where.git("reset", "-q", "--hard", done)  # a winner that was promoted then is promoted again
        where.type("dvc", "checkout", "--quiet", f"{table}.dvc", f"{kept}.dvc")
        return
    model = io.read_bytes(folder / PIPELINE)
    for content, path in ((made.content, table), (model, kept)):
        (where.folder / path).unlink(missing_ok=True)  # it may be a link into the cache
        io.write_bytes(content, where.folder / path)
    where.type("dvc", "add", "--quiet", table.as_posix(), kept.as_posix())
    conf = where.folder / paths.CONF / "problem" / f"{problem.name}.yaml"
    io.write_text(versions.edited(conf.read_text(encoding="utf-8"), made, problem, table, new.rows), conf)
    champion = versions.champion_file(model, io.read_json(folder / "threshold.json"), problem.task, kept)
    io.write_text(champion, where.folder / paths.CONF / "model" / f"{tried.CHAMPION}.yaml")
    where.type("mlworkflow", "compose")
    where.git("add", "-A")
    where.git("commit", "-q", "-m", subject, "-m", f"Because: {reason.words}")


def _setting(
    where: Place, made: versions.Version, problem: Problem, folder: Path, policy: Retrain, champion: Release
) -> tried.Setting:
    model = str(io.read_json(folder / "manifest.json")["model"])
    best, folds = _best(where, champion), problem.split.folds
    return tried.Setting(problem.task, model, best, policy.tries, made.before, made.recent, folds, made.points)


def _best(where: Place, champion: Release) -> dict[str, Any]:
    """Return the parameters that the champion's search took; none where they are in no cache and no remote."""
    from mlworkflow.reviewing.files import Files
    from mlworkflow.reviewing.revisions import ReviewError, Revision

    try:
        content = Files(where.home, Revision(champion.tag, champion.commit)).output(paths.BEST_PARAMS)
    except ReviewError:
        return {}
    return dict(yaml.safe_load(content) or {})


def _experiment(name: str, digest: str) -> str:
    return f"{name}-{digest}"


def _run(where: Place, one: tried.Candidate, digest: str) -> float:
    """Run an experiment that was not run yet; return its seconds, 0 where it was."""
    name = _experiment(one.name, digest)
    if name in where.experiments():
        tell(f"{one.name}: made before")
        return 0.0
    began = time.monotonic()
    overrides = [word for override in one.overrides for word in ("-S", override)]
    where.git("reset", "-q", "--hard")
    where.type("dvc", "exp", "run", "--quiet", "--force", "--name", name, *overrides, "decide")  # what a review reads
    return time.monotonic() - began


def _reviewed(where: Place, digest: str, base: str, candidate: str) -> dict[str, Any]:
    """Return the review of two experiments, as JSON has it."""
    from mlworkflow.reviewing.command import reviewed

    with contextlib.chdir(where.folder):
        return reviewed(_experiment(base, digest), _experiment(candidate, digest)).to_dict()


# ---- the end ---------------------------------------------------------------------------------------------------------


def _concluded(where: Place, made: Result, digest: str, policy: Retrain) -> Result:
    """Put the winner on the branch, give the branch to the repository, release it where the policy says so."""
    if made.chosen.name is None:
        return replace(made, commands=(f"rm -r {FOLDER / made.branch.rpartition('/')[2]}",))
    where.git("reset", "-q", "--hard")
    where.type("mlworkflow", "promote", _experiment(made.chosen.name, digest), "--commit")
    subject = f"{made.chosen.name} takes the place of {made.champion}"
    where.git("commit", "--amend", "-q", "-m", subject, "-m", made.chosen.sentence, "-m", f"Because: {made.reason}")
    where.type("git", "push", "--quiet", "origin", f"+HEAD:refs/heads/{made.branch}")
    merge = f"git merge --ff-only {made.branch} && dvc checkout"
    commands: tuple[str, ...] = (f"git log -p HEAD..{made.branch} -- conf", merge, "mlworkflow release")
    if policy.auto_release != "when better":
        return replace(made, commands=commands)
    because = f"retrained by itself: {made.reason}. {made.chosen.sentence}"
    where.type("mlworkflow", "release", "--stage", policy.stage, "--because", because)
    where.type("git", "push", "--quiet", "origin", "--tags")
    from mlworkflow.releasing.tags import current

    version = current(policy.stage, made.problem, where.home).version
    return replace(made, released=version, commands=(merge,))


def _words(made: Result) -> list[str]:
    """Return the result for a terminal."""
    lines = [f"{made.problem} {made.champion}, because: {made.reason}", ""]
    lines += [f"  {count:>7,}  {what}" for what, count in made.ledger.items() if count]
    lines.append("")
    for name, told in made.chosen.reviews.items():
        taken = "*" if name == made.chosen.name else " "
        lines.append(f"{taken} {name:<13} {told['word']:<20} {_number(told)}")
    lines += ["", made.chosen.sentence]
    if made.released:
        lines.append(f"Released as {made.released}, as conf/retrain says.")
    return [*lines, "Go on with:" if made.chosen.name else "The branch can go:", *(f"  {one}" for one in made.commands)]


def _number(told: Mapping[str, Any]) -> str:
    first = next(iter(told["metrics"]), None)
    if not first or not first["difference"]:
        return ""
    gain = first["difference"]
    return (
        f"{first['name']} {first['base']:.4g} -> {first['candidate']:.4g} ({gain['low']:+.3g} to {gain['high']:+.3g})"
    )
