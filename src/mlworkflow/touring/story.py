"""The story: a model goes into use, a year passes, and whoever is on duty does what the monitor asks for.

Nothing is arranged beyond the company and one mishap: the one on duty types the commands of the README, and reads what
they say. A month's outcomes come in the month after; a month is judged when the next has begun.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlworkflow.touring.hands import Hands, Server, TourError, serving
from mlworkflow.touring.world import TARGET, Setting, World

PROBLEM = "subscribers"
TABLE = "data/source/subscribers.csv"
MONITOR = "mlworkflow monitor --window month --clock row"
FELT = ("performance", "concept", "money", "calibration")  # alarms that only outcomes give
KNOWN = """
treatments: {date: drop, signup: drop} # what counts of them is the tenure
features:
  - {_target_: mlworkflow.features.Elapsed, column: date, after: signup}
"""
VALUE = """value: # a call costs 10 EUR, its offer keeps one leaver in four, and a kept one is worth 240 EUR
  unit: EUR
  outcomes:
    'yes': {'yes': 50, 'no': 0}
    'no': {'yes': -10, 'no': 0}
"""


@dataclass(frozen=True)
class Event:
    """Something that happened in a month in use."""

    month: str
    kind: str  # released, quiet, alarm, lasting, retrained, mishap, rolled back
    words: str
    command: str | None = None
    about: str | None = None  # of an alarm: its part
    since: str | None = None  # of an alarm: the month that it names


@dataclass
class Told:
    """What the year was.

    Attributes:
        events: in their order.
        months: label -> what the monitor last said of it: version, numbers, alarms.
        versions: label -> the version that was in use.
    """

    events: list[Event] = field(default_factory=list)
    months: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> list[Event]:
        """Return the events of a kind."""
        return [event for event in self.events if event.kind == kind]


class Year:
    """A year of a model in use."""

    def __init__(self, setting: Setting, hands: Hands, tell: Callable[[Event], None]) -> None:
        self.world, self.hands, self._tell = World(setting), hands, tell
        self.told = Told()
        self._known: set[tuple[str, str]] = set()  # (version, alarm) that was told
        self._taken_up: dict[str, int] = {}  # version -> the month since which it is in use

    def live(self) -> Told:
        """Live through it. Raises TourError where a step ends as it must not."""
        self._begin()
        with serving(self.hands) as server:
            before: tuple[Sequence[str], Sequence[str | None]] = ((), ())
            for month in range(1, self.world.setting.months + 1):
                if month == self.world.setting.turn:
                    self._say(month, "turn", "customers begin to leave for other reasons, and nobody is told")
                if month == self.world.setting.mishap:
                    self._mishap(month, server)
                self.told.versions[self.world.label(month)] = self._version
                ids = server.predict(self.world.requests(month))
                server.feedback(*before)
                before = ids, self.world.outcomes(month)
                self._look(month, server)
        return self.told

    def _say(self, month: int, kind: str, words: str, command: str | None = None, **about: str) -> None:
        event = Event(self.world.label(month), kind, words, command, **about)
        self.told.events.append(event)
        self._tell(event)

    # ---- before the year ---------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Make the model of the months before, and release it."""
        type_ = self.hands.type
        export = self.hands.folder.parent / "crm.csv"
        self.world.history.to_csv(export, index=False)
        type_(
            f"mlworkflow new {PROBLEM} --target {TARGET} --positive yes --key customer date --time date "
            "--metric roc_auc --data",
            str(export),
        )
        self._describe()
        type_("mlworkflow compose")
        type_("dvc repro")
        self.hands.commit("Who of the subscribers will leave?")
        self._release(1, "the first model")

    def _describe(self) -> None:
        """Say in the problem's file what a person knows: the values of outcomes, the rights, a model that is quick."""
        path = self.hands.folder / f"conf/problem/{PROBLEM}.yaml"
        text = path.read_text(encoding="utf-8")
        text = text.replace("model: xgboost", "model: linear").replace("personal_data: true", "personal_data: false")
        text = text.replace("folds: 5", "folds: 3").replace("trials: 16", "trials: 6")  # that it takes minutes
        path.write_text(text.replace("# value:", f"{VALUE}# value:", 1) + KNOWN, encoding="utf-8")
        conf = self.hands.folder / "conf/config.yaml"
        lines = conf.read_text(encoding="utf-8").splitlines()
        chosen = [f"  - problem: {PROBLEM}" if line.startswith("  - problem:") else line for line in lines]
        conf.write_text("\n".join(chosen) + "\n", encoding="utf-8")

    # ---- releases ----------------------------------------------------------------------------------------------------

    @property
    def _version(self) -> str:
        """The version that is in use."""
        return next(reversed(self._taken_up))

    def _release(self, month: int, words: str, server: Server | None = None) -> None:
        """Release HEAD; it is in use from this month on."""
        self.hands.type("mlworkflow release --because", words)
        self._take_up(month, server)
        command = f"mlworkflow release --because '{words}'"
        self._say(min(month, self.world.setting.months), "released", f"{self._version} goes into use: {words}", command)

    def _take_up(self, month: int, server: Server | None) -> None:
        version = self._in_stage()
        self._taken_up.pop(version, None)
        self._taken_up[version] = month
        if server is not None:
            server.wait_for(version)

    def _in_stage(self) -> str:
        from mlworkflow.releasing.tags import current

        return current("prod", PROBLEM, self.hands.folder).version

    # ---- a look at the model in use ----------------------------------------------------------------------------------

    def _look(self, month: int, server: Server) -> None:
        """Look at the monitor, tell what is new, and do what it asks for."""
        code, said = self.hands.type(f"{MONITOR} --json", allow=(0, 1))
        report = json.loads(said)
        lasting = [alarm for alarm in report["alarms"] if alarm["ended"] is None]
        if bool(lasting) != bool(code):
            raise TourError(f"`mlworkflow monitor` ended with {code}, but {len(lasting)} alarms last.")
        for window in report["windows"]:
            self.told.months[window["label"]] = {**window, "version": report["version"]}
        new = [alarm for alarm in lasting if (report["version"], _key(alarm)) not in self._known]
        for alarm in new:
            self._known.add((report["version"], _key(alarm)))
            words = f"since {alarm['since']}: {alarm['check']['words']}"
            self._say(month, "alarm", words, about=alarm["part"], since=alarm["since"])
        if lasting and not new:
            self._say(month, "lasting", ", ".join(map(_key, lasting)))
        if not lasting:
            self._say(month, "quiet", "nothing to do", MONITOR)
        else:
            self._act(month, lasting, server)

    def _act(self, month: int, lasting: Sequence[dict[str, Any]], server: Server) -> None:
        """Go back where rows are of another kind since the version is in use; else retrain, once outcomes ask for it.

        Columns that drift alone are no reason: the outcomes will tell whether the model suffers.
        """
        taken_up = self._taken_up[self._version]
        strange = [one for one in lasting if one["part"] == "quality" and one["since"] == self.world.label(taken_up)]
        felt = next((alarm for alarm in lasting if alarm["part"] in FELT), None)
        if taken_up > 1 and strange:
            self._roll_back(month, strange[0], server)
        elif felt is not None and felt["windows"] >= self.world.setting.enough:
            self._retrain(month, felt, server)

    def _roll_back(self, month: int, alarm: dict[str, Any], server: Server) -> None:
        bad, why = self._version, alarm["check"]["words"]
        self.hands.type("mlworkflow rollback --because", why)
        self._take_up(month, server)
        self._say(month, "rolled back", f"from {bad} to {self._version}", f"mlworkflow rollback --because '{why}'")

    def _retrain(self, month: int, alarm: dict[str, Any], server: Server) -> None:
        """Ask for a better model; a change that is reviewed as better is merged and released."""
        command = f"mlworkflow retrain --because {_key(alarm)}"
        _, said = self.hands.type(f"{command} --json")
        result = json.loads(said[said.index("{") :])
        self._say(month, "retrained", result["sentence"], command)
        if result["word"] == "better":
            self.hands.type(f"git merge -q --ff-only {result['branch']}")
            self.hands.type("dvc checkout -q")
            self._release(month + 1, f"{result['chosen']}, reviewed as better", server)

    # ---- the mishap --------------------------------------------------------------------------------------------------

    def _mishap(self, month: int, server: Server) -> None:
        """Somebody exports the table anew, with the charges in cents: every number of the workflow stays as good."""
        import pandas as pd
        import yaml

        problem = yaml.safe_load((self.hands.folder / f"conf/problem/{PROBLEM}.yaml").read_text(encoding="utf-8"))
        path = self.hands.folder / problem["source"]["path"]
        parquet = path.suffix == ".parquet"
        table = pd.read_parquet(path) if parquet else pd.read_csv(path)
        table["charges"] = 100 * pd.to_numeric(table["charges"])
        path.unlink()  # it may be a link into DVC's cache
        table.to_parquet(path) if parquet else table.to_csv(path, index=False)
        self.hands.type(f"dvc add -q {problem['source']['path']}")
        self.hands.type("dvc repro")
        self.hands.commit("A new export of the table")
        self._say(month, "mishap", "somebody exports the table anew, with the charges in cents: all tests are passed")
        self._release(month, "learnt from the new export", server)


def _key(alarm: dict[str, Any]) -> str:
    return f"{alarm['part']}/{alarm['subject']}"


def cloned(source: Path, folder: Path) -> Hands:
    """Return the hands in a fresh clone of a repository's HEAD, with a remote for DVC; what was there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    clone = folder / "clone"
    hands = Hands(folder, folder / "typed.txt")
    hands.type("git clone -q --no-hardlinks", str(source.resolve()), str(clone))
    hands = Hands(clone, folder / "typed.txt")
    hands.type("git switch -q -C main")
    hands.type("dvc remote add -q -d store ../store")
    hands.commit("Where DVC keeps what it has")
    return hands
