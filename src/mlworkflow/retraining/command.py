"""`mlworkflow retrain`: new rows of use, a branch, candidates, a review, and the commands to go on with."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlworkflow.core import io
from mlworkflow.core.processes import stoppable
from mlworkflow.releasing.ready import head_of, result_of, verdict
from mlworkflow.retraining import candidates as tried
from mlworkflow.retraining import version as versions
from mlworkflow.retraining.branch import begin, promote
from mlworkflow.retraining.choice import choose
from mlworkflow.retraining.origin import CHAMPION, origin_of
from mlworkflow.retraining.place import FOLDER, Place, RetrainError, alone, place
from mlworkflow.retraining.ready import ready
from mlworkflow.retraining.result import Result, words
from mlworkflow.serving.folder import PIPELINE

if TYPE_CHECKING:
    from mlworkflow.core.params import Retrain
    from mlworkflow.releasing.tags import Release

tell = partial(print, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Reason:
    """Why a model is retrained: an alarm, or words; `since`: (clock, seconds since 1970) of the alarm's beginning."""

    words: str
    since: tuple[str, float] | None = None


def retrain(because: str | None, *, as_json: bool = False) -> int:
    """Retrain; return 0 where it went well, better or not.

    Raises:
        RetrainError: nothing can be retrained; what is wrong, all at once.
        ProjectError: a step failed; typed again, it goes on where it was.
    """
    with alone(), stoppable():
        made = retrained(because)
    print(json.dumps(made.to_dict(), indent=2) if as_json else "\n".join([*words(made), f"The page: {made.page}"]))
    return 0


def retrained(because: str | None) -> Result:
    """Return what came of it."""
    from mlworkflow.core.params import Retrain, read_params
    from mlworkflow.core.problem import Problem

    params = read_params()
    problem = Problem.model_validate(params["problem"])
    policy = Retrain.model_validate(params.get("retrain") or {"name": "default"})
    reason = reason_of(because, problem.name)
    given = ready(problem, policy, tell)
    champion, bundle, new = given.champion, given.bundle, given.new
    made = versions.version(given.raw, new, problem, reason.since)
    digest = versions.digest(made, io.read_bytes(bundle / PIPELINE), reason.since, head_of(Path()))
    branch = f"retrain/{problem.name}-{digest}"
    where = place(branch, tell)
    origin = origin_of(where.home, champion, bundle, params)
    begin(where, given, made, problem, origin, reason.words)
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


# ---- candidates ------------------------------------------------------------------------------------------------------


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
        return replace(made, commands=(f"rm -r {FOLDER / made.branch.rpartition('/')[2]}",)).paged()
    promote(where, made, _experiment(made.chosen.name, digest))
    where.type("git", "push", "--quiet", "origin", f"+HEAD:refs/heads/{made.branch}")
    merge = f"git merge --ff-only {made.branch} && dvc checkout"
    against = tuple(one.told for one in verdict(result_of(where.folder, where.git("rev-parse", "HEAD"))))
    by_hand = shlex.join(["mlworkflow", "release", *(["--stage", policy.stage] if policy.stage != "prod" else [])])
    if against:  # a person may decide otherwise, with a reason
        by_hand += " " + shlex.join(["--because", f"{made.chosen.name} is better than {made.champion}"])
    commands = (f"git log -p HEAD..{made.branch} -- conf", merge, by_hand)
    if policy.auto_release != "when better" or against:
        return replace(made, against=against, commands=commands).paged()
    release = _released(where, made, policy)
    done = replace(made, released=release.version, commands=(merge,)).paged()
    tags = [f"refs/tags/{name}" for name in (release.tag, release.assigned)]
    where.type("git", "push", "--quiet", "--atomic", "origin", *tags)  # from now on it is in service
    return done


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
