"""`mlworkflow retrain`: new rows of use, a branch, candidates, a review, and the commands to go on with."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io, paths
from mlworkflow.core.errors import listed
from mlworkflow.core.processes import stoppable
from mlworkflow.releasing.ready import result_of, verdict
from mlworkflow.retraining import candidates as tried
from mlworkflow.retraining import version as versions
from mlworkflow.retraining.choice import Chosen, choose
from mlworkflow.retraining.origin import CHAMPION, FILE, Origin, origin_of
from mlworkflow.retraining.place import FOLDER, Place, RetrainError, alone, place
from mlworkflow.retraining.ready import ready
from mlworkflow.serving.folder import PIPELINE

if TYPE_CHECKING:
    from mlworkflow.core.params import Retrain
    from mlworkflow.core.problem import Problem
    from mlworkflow.releasing.tags import Release
    from mlworkflow.retraining.rows import Gathered

WINNER = "refs/mlworkflow/winner"  # in the clone: the commit that takes the champion's place
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
        against: why the winner is not released, or not without a reason; empty where nothing is against it.
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
    against: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def page(self) -> Path:
        """Where its page lies."""
        return FOLDER / f"{self.branch.rpartition('/')[2]}.html"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        told = {name: getattr(self, name) for name in ("problem", "champion", "branch", "reason", "released")}
        return told | {
            "word": self.chosen.word,
            "chosen": self.chosen.name,
            "sentence": self.chosen.sentence,
            "rows": dict(self.ledger),
            "candidates": dict(self.chosen.words),
            "against": list(self.against),
            "commands": list(self.commands),
        }


def retrain(because: str | None, *, as_json: bool = False) -> int:
    """Retrain; return 0 where it went well, better or not.

    Raises:
        RetrainError: nothing can be retrained; what is wrong, all at once.
        ProjectError: a step failed; typed again, it goes on where it was.
    """
    with alone(), stoppable():
        made = retrained(because)
    print(json.dumps(made.to_dict(), indent=2) if as_json else "\n".join([*_words(made), f"The page: {made.page}"]))
    return 0


def retrained(because: str | None) -> Result:
    """Return what came of it."""
    from mlworkflow.core.params import Retrain, read_params
    from mlworkflow.core.problem import Problem

    params = read_params()
    problem = Problem.model_validate(params["problem"])
    policy = Retrain.model_validate(params.get("retrain") or {"name": "default"})
    reason = reason_of(because, problem.name)
    begin = ready(problem, policy, tell)
    champion, folder, new = begin.champion, begin.bundle, begin.new
    made = versions.version(begin.raw, new, problem, reason.since)
    digest = versions.digest(made, io.read_bytes(folder / PIPELINE), reason.since, _head())
    branch = f"retrain/{problem.name}-{digest}"
    where = place(branch, tell)
    origin = origin_of(where.home, champion, folder, params)
    _prepare(where, made, new, problem, folder, reason, origin)
    folds = problem.split.folds if origin is None else origin.folds
    setting = tried.Setting(problem.task, origin, policy.tries, made.before, made.recent, folds, made.points)
    options = tried.candidates(setting)
    seconds = {one.name: _run(where, one, digest) for one in options}
    names = [one.name for one in options if one.name != CHAMPION]
    chosen = choose(names, CHAMPION, partial(_reviewed, where, digest))
    result = Result(
        problem.name, champion.version, branch, reason.words, new.ledger, chosen, seconds,
        {one.name: one.words for one in options},
    )  # fmt: skip
    return _concluded(where, result, digest, policy)


# ---- what there is ---------------------------------------------------------------------------------------------------


def reason_of(because: str | None, problem: str) -> Reason:
    """Return why: the alarm that is named, if it lasts, else the words as they are; without words, the first alarm.

    That is the first one that a new model may answer: not one of the service, or of the source of the rows.
    """
    from mlworkflow.monitoring.report import ORDER
    from mlworkflow.monitoring.steps import answered_by_a_model
    from mlworkflow.watch.alarms import lasting

    alarms = {told["alarm"]: told for told in lasting(problem)}
    if because not in alarms and str(because).partition("/")[0] in ORDER:
        lasts = ", ".join(alarms) or "none"
        raise RetrainError(
            f"--because names an alarm that lasts, or says why in words. {because} does not last: {lasts}."
        )
    model = [told for name, told in alarms.items() if answered_by_a_model(name.partition("/")[0])]
    told = alarms.get(because or "") or (model[0] if model and because is None else None)
    if told is None:
        return Reason(because or "asked for by hand: no alarm lasts that a model answers")
    since = None if told.get("begun") is None else (str(told["clock"]), float(told["begun"]))
    return Reason(f"{told['alarm']} since {told['since']}: {told['words']}", since)


def _head() -> str:
    from mlworkflow.releasing.ready import head_of

    return head_of(Path())


# ---- on the branch ---------------------------------------------------------------------------------------------------


def _prepare(
    where: Place,
    made: versions.Version,
    new: Gathered,
    problem: Problem,
    folder: Path,
    reason: Reason,
    origin: Origin | None,
) -> None:
    """Bring the branch to the commit with the new data version and the champion; it is made once."""
    subject = f"{new.ledger['new rows']:,} rows of use for {problem.name}"
    table, kept = versions.table_path(problem), paths.SNAPSHOTS / f"{problem.name}-champion.skops"
    where.git("reset", "-q", "--hard")  # what a killed run left
    if done := where.first_since(_head()):
        where.git("reset", "-q", "--hard", done)  # a winner that was promoted then is promoted again
        where.type("dvc", "checkout", f"{table}.dvc", f"{kept}.dvc")
        return
    model = io.read_bytes(folder / PIPELINE)
    for content, path in ((made.content, table), (model, kept)):
        (where.folder / path).unlink(missing_ok=True)  # it may be a link into the cache
        io.write_bytes(content, where.folder / path)
    where.type("dvc", "add", table.as_posix(), kept.as_posix())
    conf = where.folder / paths.CONF / "problem" / f"{problem.name}.yaml"
    io.write_text(versions.edited(conf.read_text(encoding="utf-8"), made, problem, table, new.rows), conf)
    threshold, was = io.read_json(folder / "threshold.json"), None if origin is None else origin.to_dict()
    io.write_text(versions.champion_file(model, threshold, problem.task, kept, was), where.folder / FILE)
    where.type("mlworkflow", "compose")
    where.git("add", "-A")
    where.git("commit", "-q", "-m", subject, "-m", f"Because: {reason.words}")


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
    where.type("dvc", "exp", "run", "--name", name, *overrides, "decide")  # what a review reads
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
        return _paged(replace(made, commands=(f"rm -r {FOLDER / made.branch.rpartition('/')[2]}",)))
    _promote(where, made, _experiment(made.chosen.name, digest))
    where.type("git", "push", "--quiet", "origin", f"+HEAD:refs/heads/{made.branch}")
    merge = f"git merge --ff-only {made.branch} && dvc checkout"
    against = tuple(one.told for one in verdict(result_of(where.folder, where.git("rev-parse", "HEAD"))))
    by_hand = shlex.join(["mlworkflow", "release", *(["--stage", policy.stage] if policy.stage != "prod" else [])])
    if against:  # a person may decide otherwise, with a reason
        by_hand += " " + shlex.join(["--because", f"{made.chosen.name} is better than {made.champion}"])
    commands = (f"git log -p HEAD..{made.branch} -- conf", merge, by_hand)
    if policy.auto_release != "when better" or against:
        return _paged(replace(made, against=against, commands=commands))
    release = _released(where, made, policy)
    done = _paged(replace(made, released=release.version, commands=(merge,)))
    tags = [f"refs/tags/{name}" for name in (release.tag, release.assigned)]
    where.type("git", "push", "--quiet", "--atomic", "origin", *tags)  # from now on it is in service
    return done


def _paged(made: Result) -> Result:
    """Write the page, and return what it is of."""
    from mlworkflow.retraining.page import page

    io.write_text(page(made), made.page)
    return made


def _promote(where: Place, made: Result, experiment: str) -> None:
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


def _released(where: Place, made: Result, policy: Retrain) -> Release:
    """Return the release of the branch, in the clone alone; one that was made before is no other.

    Raises:
        RetrainError: somebody put another version into the stage meanwhile, or HEAD must not be released.
    """
    from mlworkflow.releasing.tags import current

    now = current(policy.stage, made.problem, where.home).version
    if now != made.champion:
        raise RetrainError(
            f"{made.chosen.name} was set against {made.champion}, but {policy.stage} went to {now} meanwhile. Nothing "
            f"was released. {made.branch} is there to look at; type the command again to set it against {now}."
        )
    where.git("fetch", "--quiet", "--tags", "origin")
    if current(policy.stage, made.problem, where.folder).commit != where.git("rev-parse", "HEAD"):
        because = f"retrained by itself: {made.reason}. {made.chosen.sentence}"
        where.type("mlworkflow", "release", "--stage", policy.stage, "--strict", "--because", because)
    return current(policy.stage, made.problem, where.folder)


def _words(made: Result) -> list[str]:
    """Return the result for a terminal."""
    lines = [f"{made.problem} {made.champion}, because: {made.reason}", ""]
    lines += [f"  {count:>7,}  {what}" for what, count in made.ledger.items() if count]
    lines.append("")
    for name, told in made.chosen.reviews.items():
        taken = "*" if name == made.chosen.name else " "
        lines.append(f"{taken} {name:<13} {made.chosen.words[name]:<20} {_number(told)}")
    lines += ["", made.chosen.sentence]
    if made.released:
        lines.append(f"Released as {made.released}, as conf/retrain says.")
    if made.against:
        lines += ["", f"Not to be released without a reason:\n{listed(made.against)}"]
    return [*lines, "Go on with:" if made.chosen.name else "The branch can go:", *(f"  {one}" for one in made.commands)]


def _number(told: Mapping[str, Any]) -> str:
    first = next(iter(told["metrics"]), None)
    if not first or not first["difference"]:
        return ""
    gain = first["difference"]
    return (
        f"{first['name']} {first['base']:.4g} -> {first['candidate']:.4g} ({gain['low']:+.3g} to {gain['high']:+.3g})"
    )
