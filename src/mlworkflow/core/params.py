"""Params: the composed configuration as typed sections; a stage sees only what dvc.yaml declares for it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter

from mlworkflow.core import io, paths
from mlworkflow.core.errors import UndeclaredParamError, UnreadableError
from mlworkflow.core.problem import Problem, Strict, Target, Task

Family = Literal["classification", "regression", "clustering"]
PACKAGES = ("sklearn", "xgboost", "lightgbm", "mlworkflow")  # whose estimators may be trained, stored and loaded
Rung = Literal[
    "random", "human", "existing", "majority", "mean", "median", "last_value", "seasonal", "one_column", "linear"
]  # of the ladder of baselines


def read_params() -> dict[str, Any]:
    """Return params.yaml as it stands.

    Raises:
        UnreadableError: it is missing, no YAML, or holds no keys.
    """
    if not paths.PARAMS.is_file():
        raise UnreadableError(paths.PARAMS, "there is no such file", "Type `mlworkflow compose`.")
    params = io.read_yaml(paths.PARAMS)
    if not isinstance(params, dict):
        raise UnreadableError(paths.PARAMS, "it holds no keys", "Type `mlworkflow compose`.")
    return params


def family(task: Task) -> Family:
    """Return the kind of estimator that the task needs."""
    if task in ("binary", "multiclass"):
        return "classification"
    return "regression" if task == "regression" else "clustering"


class Wants(Strict):
    """What a model asks of its columns."""

    scaling: bool = False
    missing: bool = False  # True: it takes missing values as they are
    hashing: bool = False  # True: categories of many words by their hash, not by their mean target
    untouched: bool = False  # True: it takes the columns as they are, and prepares them itself
    terms: bool = False  # True: it takes sparse input, a column for each term of a text; else dense, few directions


class Space(Strict):
    """The search space of each task: parameter -> distribution."""

    classification: dict[str, Target] = {}
    regression: dict[str, Target] = {}
    clustering: dict[str, Target] = {}


class Model(Strict):
    """One unfitted estimator for each task it can do, or several models as families; one file in conf/model/."""

    name: str
    rung: Rung | None = None  # the rung of the ladder that this model is itself, and so is not compared with
    wants: Wants = Wants()
    classification: Target | None = None
    regression: Target | None = None
    clustering: Target | None = None
    threshold: dict[str, Any] | None = None  # how classes are decided; none: chosen on the out-of-fold predictions
    distributed: bool = False  # it is fitted on a Dask cluster, from the parts of the table
    space: Space = Space()
    simpler: dict[str, Literal["low", "high"]] = {}  # parameter -> the end of its space where the model is simpler
    of: dict[str, Any] | None = None  # what a model that is kept as it is was fitted as: retraining/origin.py
    families: dict[str, Model] = {}  # simplest first; the search chooses among them, one or a weighted mean


def families(model: Model, task: Task) -> dict[str, Model]:
    """Return the models that are searched by name: the model itself, or those of its families that do the task."""
    able = {name: one for name, one in model.families.items() if getattr(one, family(task)) is not None}
    return able or {model.name: model}


class Augment(Strict):
    """What is added to the rows that a model is fitted on; one file in conf/augment/."""

    name: str
    tasks: list[Task] = list(get_args(Task))  # the tasks that it makes sense for
    rows: Target | None = None  # none: the rows as they are


class Search(Strict):
    """How the space is searched; one file in conf/search/."""

    name: str
    sampler: Target | None = None  # none: the model as it stands in conf/
    batch: int = Field(default=4, ge=1)  # trials asked for before the sampler learns from them
    prune: bool = False  # whether trials end that are, after two folds, behind the median of those before


class Compute(Strict):
    """Who does the trials of a search; one file in conf/compute/. Results are the same whoever does."""

    name: str
    backend: Literal["auto", "threads", "processes", "dask"] = "auto"  # auto: processes, once fits turn out long
    workers: Annotated[int, Field(ge=1)] | None = None  # none: one for each core of the machine
    address: str | None = None  # of a Dask scheduler; none: a cluster of its own on this machine


class Monitor(Strict):
    """How a model in use is watched, and how far is too far; one file in conf/monitor/."""

    name: str
    window: str = Field(default="week", pattern=r"^(hour|day|week|month|[1-9]\d{0,3} (hours|days)|[1-9]\d{0,8} rows)$")
    clock: Literal["log", "row"] = "log"  # log: when a request came; row: what the problem's time column says
    false_alarms: float = Field(default=0.5, gt=0, le=100)  # expected in 100 quiet windows, all checks together
    fewest_rows: int = Field(default=50, ge=1)  # of a window that is judged, and of its outcomes
    psi: float = Field(default=0.1, ge=0)  # population stability index of one column, or of the predictions
    missing: float = Field(default=0.05, ge=0, le=1)  # how far the share of missing values may move
    unseen: float = Field(default=0.02, ge=0, le=1)  # share of values that training never saw, or outside its range
    joint: float = Field(default=0.6, ge=0.5, le=1)  # ROC AUC of telling new rows from those learnt from
    calibration: float = Field(default=0.05, ge=0, le=1)  # between what was said and what came, on average


class Retrain(Strict):
    """What may take the place of a model that has become worse, and who decides; one file in conf/retrain/."""

    name: str
    tries: list[Literal["recalibrate", "threshold", "refit", "search"]] = [
        "recalibrate",
        "threshold",
        "refit",
        "search",
    ]
    fewest_rows: int = Field(default=200, ge=20)  # new labelled rows
    auto_release: Literal["never", "when better"] = "never"
    stage: str = "prod"


class Params(Strict):
    """The whole of params.yaml."""

    seed: int = Field(ge=0, lt=2**32)
    problem: Problem
    model: Model
    augment: Augment = Augment(name="none")
    search: Search
    compute: Compute
    monitor: Monitor
    retrain: Retrain = Retrain(name="default")
    fingerprint: dict[str, Any]


def _model(annotation: Any) -> type[Strict]:
    if not (isinstance(annotation, type) and issubclass(annotation, Strict)):
        raise TypeError(f"{annotation} has no parts to declare one by one")
    return annotation


class Sections:
    """The declared part of params.yaml for one stage: `sections.problem.data`, `sections.seed`.

    Reading what dvc.yaml does not declare raises UndeclaredParamError, so a stage cannot rest
    on a parameter whose change would not rerun it.
    """

    def __init__(
        self, stage: str, declared: list[str], values: dict[str, Any], model: type[Strict] = Params, prefix: str = ""
    ) -> None:
        self._stage, self._declared, self._values = stage, declared, values
        self._model, self._prefix = model, prefix

    def __getattr__(self, name: str) -> Any:
        """Return the typed section `name`, or a narrower Sections where only parts of it are declared."""
        field = self._model.model_fields.get(name)
        key = f"{self._prefix}{name}"
        if field is None:
            raise AttributeError(key)
        if key in self._declared or not self._declared:
            value = self._values.get(name, field.get_default(call_default_factory=True))
            annotation: Any = field.annotation
            return TypeAdapter(annotation).validate_python(value)
        if any(declared.startswith(f"{key}.") for declared in self._declared):
            return Sections(self._stage, self._declared, self._values[name], _model(field.annotation), f"{key}.")
        raise UndeclaredParamError(self._stage, key, self._declared)
