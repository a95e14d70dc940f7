"""Problem: the question the repository answers, and the strict schema of conf/problem/*.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Task = Literal["binary", "multiclass", "regression", "clustering"]
Kind = Literal["number", "category", "time", "text"]
Treatment = Literal["number", "onehot", "target", "hash", "text", "dates", "drop"]
Outliers = Literal["leave", "flag", "clip"]
Label = str | int | bool | float
Range = Annotated[list[float | int | None], Field(min_length=2, max_length=2)]
Positive = Annotated[float | int, Field(gt=0)]
BLANKS = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")  # mean missing in every table


class Strict(BaseModel):
    """A section of conf/: unknown keys, wrong types and numbers without end are refused, nothing changes after."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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
    ranges: dict[str, Range] = {}  # column -> [low, high]; values outside are impossible, null is no limit
    missing: list[str] = []  # further words for a missing value, beside BLANKS
    kinds: dict[str, Kind] = {}  # how a column is read, where its values alone would say something else
    commas: list[str] = []  # columns whose numbers are written with a decimal comma: 1.234,5
    dates: dict[str, str] = {}  # column -> how its dates are written, e.g. "%d/%m/%Y"; ISO 8601 needs no line

    @property
    def blanks(self) -> list[str]:
        """Every word that means missing."""
        return [*BLANKS, *self.missing]


class ColumnRule(Strict):
    """What a column of new data must keep to; a line of the contract."""

    kind: Kind
    missing: bool = True  # whether values may be missing
    low: float | int | str | None = None  # a date for the kind time
    high: float | int | str | None = None
    values: list[Label] | None = None  # the categories that there are
    unique: bool = False


class Policy(Strict):
    """How rows are mended before anything is learnt; what it does is told in reports/ledger.csv."""

    spelling: dict[str, dict[str, str]] = {}  # column -> {variant: word}; case and spaces around do not count
    duplicates: Literal["drop", "keep"] = "drop"  # rows that are the same in every column
    same_key: Literal["first", "last", "keep"] = "first"  # which of several rows of one key stays
    outliers: dict[str, Outliers] = {}  # column -> flag or clip numbers beyond quantiles of the training rows
    rare: Annotated[float, Field(ge=0, lt=1)] = 0.005  # categories with a smaller share are pooled


class Api(Strict):
    """How a JSON API is read: where its records are, and how the next page is found."""

    records: str | None = None  # the dotted name of the list; without it the only list there is
    next: str | None = None  # the dotted name of the next page's address; `next` and the Link header are seen without
    page: str | None = None  # or the parameter that numbers the pages, from `first`, until one is empty
    first: int = 1
    offset: str | None = None  # or the parameter that counts the records before the page, until one is empty
    token: str | None = None  # the environment variable with the token, sent as `Authorization: Bearer`


class Origin(Strict):
    """Where a snapshot was taken from, without secrets."""

    address: str  # a path, an address, a database or a function
    query: str | None = None
    api: Api | None = None
    taken: str | None = None  # when, in UTC (ISO 8601)


class Split(Strict):
    """Which rows are test rows, and how many folds the others are validated in."""

    scheme: Literal["hash", "time", "column"] = "hash"
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.25
    column: str | None = None  # scheme column: rows with `test` in it are test rows
    test: Label = "test"
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    train_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of the training rows that are used; a smaller one nests
    train_from: Annotated[int, Field(ge=0)] = 0  # rows of the table before this one, counted from 0, train no model
    test_from: Annotated[int, Field(ge=0)] = 0  # and before this one test none

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
    """What a model is set beside: the existing system's predictions, a human figure, in a simulation the truth."""

    existing: str | None = None
    human: Human | None = None
    best: str | None = None  # the column with the true probability (binary) or mean (regression), in a simulation

    @property
    def columns(self) -> list[str]:
        """The columns that are named."""
        return [name for name in (self.existing, self.best) if name is not None]


class SliceShare(Strict):
    """A slice that must make up at least a share of the test rows."""

    column: str
    value: Label
    smallest_share: Annotated[float, Field(ge=0, le=1)]


class Constraints(Strict):
    """What a usable model must keep to."""

    largest_model_megabytes: Positive | None = None
    slowest_prediction_milliseconds: Positive | None = None
    metrics: dict[str, float | int] = {}  # metric -> the least acceptable value (the greatest for an error)
    largest_gap_of_a_slice: float | int | None = None  # how far below the whole a slice may be, primary metric
    slices: list[SliceShare] = []


class Stopping(Strict):
    """When a search ends."""

    trials: Annotated[int, Field(ge=1)] = 20
    seconds: Positive | None = None  # a budget in seconds is not repeatable
    no_gain: Annotated[int, Field(ge=1)] | None = None  # trials without a gain


class Rights(Strict):
    """Whether the data may be used, and whom they describe."""

    licence: str
    source: str
    personal_data: bool
    notes: str = ""


class Problem(Strict):
    """One question, one file in conf/problem/."""

    name: str
    question: Annotated[str, Field(min_length=1)]
    asked_by: Annotated[str, Field(min_length=1)]
    task: Task
    source: Target
    snapshot: str  # the file whose change means new data; DVC watches it
    origin: Origin | None = None
    data: Data
    contract: dict[str, ColumnRule] = {}  # column -> what new data must keep to
    prepare: Policy = Policy()
    split: Split = Split()
    features: list[Target] = []
    treatments: dict[str, Treatment] = {}  # column -> how a model sees it, where the choice made from its kind is wrong
    clusters: int | None = None  # clustering: how many groups are asked for
    metrics: Metrics
    value: Value | None = None
    reference: Reference = Reference()
    constraints: Constraints = Constraints()
    stopping: Stopping = Stopping()
    rights: Rights
