"""Sweep: a set of experiments worth repeating, and the strict schema of conf/sweep/*.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mlworkflow.core.problem import Label, Strict

WAYS = ("models", "grid", "seeds", "without")


class Sweep(Strict):
    """What is tried, in one of four ways; each experiment is set against the recorded baseline."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]  # that of the file
    question: str  # what the sweep answers
    always: list[str] = []  # overrides of each experiment, as -S takes them
    models: Literal["all"] | list[str] | None = None  # files of conf/model; all: each that can do the task
    grid: dict[str, Annotated[list[Label], Field(min_length=1)]] | None = None  # key -> values; each combination
    seeds: Annotated[int, Field(ge=2)] | None = None  # how many other seeds; their spread is the noise of training
    without: dict[str, Annotated[list[str], Field(min_length=1)]] | None = None  # group -> its columns, left out

    @model_validator(mode="after")
    def _one_way(self) -> Sweep:
        if sum(getattr(self, way) is not None for way in WAYS) != 1:
            raise ValueError(f"a sweep has exactly one of {', '.join(WAYS)}")
        return self
