"""Problem: the question the repository answers, and the strict schema of conf/problem/*.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Task = Literal["binary", "multiclass", "regression", "clustering"]
Label = str | int | bool | float
BLANKS = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")  # mean missing in every table


class Strict(BaseModel):
    """A section of conf/: unknown keys and wrong types are refused, nothing changes after."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Target(BaseModel):
    """An object to build: `_target_` names it, the other keys are its arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)
    target: str = Field(alias="_target_", pattern=r"^\w+(\.\w+)+$")

    def config(self) -> dict[str, Any]:
        """Return the mapping as it stands in conf/, for `hydra.utils.instantiate`."""
        return self.model_dump(by_alias=True)


class Data(Strict):
    """What the columns of the table are."""

    target: str | None = None
    positive: Label | None = None
    key: list[str] = []
    group: str | None = None
    time: str | None = None
    hidden: list[str] = []  # columns that no model may see
    ranges: dict[
        str, Annotated[list[float | int | None], Field(min_length=2, max_length=2)]
    ] = {}  # values outside are impossible
    missing: list[str] = []  # further words for a missing value, beside BLANKS

    @property
    def blanks(self) -> list[str]:
        """Every word that means missing."""
        return [*BLANKS, *self.missing]


class Split(Strict):
    """Which rows are test rows, and how many folds the others are validated in."""

    scheme: Literal["hash", "time", "column"] = "hash"
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.25
    column: str | None = None  # scheme column: rows with `test` in it are test rows
    test: Label = "test"
    folds: Annotated[int, Field(ge=2, le=20)] = 5

    @model_validator(mode="after")
    def _column_is_named(self) -> Split:
        if self.scheme == "column" and not self.column:
            raise ValueError("the scheme 'column' needs the name of the column")
        return self


class Metrics(Strict):
    """What is measured; the primary metric decides."""

    primary: str
    also: list[str] = []
    least_gain: Annotated[float, Field(ge=0)] = 0.0  # the least gain over the baseline worth having

    @property
    def names(self) -> list[str]:
        """The primary metric first, then the others, each once."""
        return list(dict.fromkeys([self.primary, *self.also]))


class Value(Strict):
    """What each outcome is worth: gains above zero, costs below, in `unit`."""

    unit: str
    outcomes: dict[Label, dict[Label, float | int]] | None = None  # actual -> predicted -> value of one row
    over: float | int | None = None  # regression: value of one unit predicted too high
    under: float | int | None = None  # regression: value of one unit predicted too low


class Human(Strict):
    """A figure that people reach, with its source."""

    metric: str
    figure: float | int
    source: str


class Reference(Strict):
    """What is in use today: a column with the existing system's predictions, a human figure."""

    existing: str | None = None
    human: Human | None = None


class SliceShare(Strict):
    """A slice that must make up at least a share of the test rows."""

    column: str
    value: Label
    smallest_share: Annotated[float, Field(ge=0, le=1)]


class Constraints(Strict):
    """What a usable model must keep to."""

    largest_model_megabytes: float | int | None = None
    slowest_prediction_milliseconds: float | int | None = None
    metrics: dict[str, float | int] = {}  # metric -> the least acceptable value (the greatest for an error)
    largest_gap_of_a_slice: float | int | None = None  # how far below the whole a slice may be, primary metric
    slices: list[SliceShare] = []


class Stopping(Strict):
    """When a search ends."""

    trials: Annotated[int, Field(ge=1)] = 20
    seconds: float | int | None = None  # a budget in seconds is not repeatable
    no_gain: int | None = None  # trials without a gain


class Rights(Strict):
    """Whether the data may be used, and whom they describe."""

    licence: str
    source: str
    personal_data: bool
    notes: str = ""


class Problem(Strict):
    """One question, one file in conf/problem/."""

    name: str
    question: str
    asked_by: str
    task: Task
    source: Target
    snapshot: str  # the file whose change means new data; DVC watches it
    data: Data
    split: Split = Split()
    features: list[Target] = []
    clusters: int | None = None  # clustering: how many groups are asked for
    metrics: Metrics
    value: Value | None = None
    reference: Reference = Reference()
    constraints: Constraints = Constraints()
    stopping: Stopping = Stopping()
    rights: Rights
