"""Is a distribution of a search space one that Optuna takes as it stands? Said without importing Optuna."""

from __future__ import annotations

import math
from typing import Any

from mlworkflow.config.targets import absent

_OPTUNA = "optuna.distributions."
_KINDS = ("FloatDistribution", "IntDistribution", "CategoricalDistribution")


def distribution_mistakes(config: dict[str, Any]) -> list[str]:
    """Return why Optuna would refuse a distribution, or silently take another one."""
    target = config["_target_"]
    kind = target.removeprefix(_OPTUNA)
    if absent(target):
        return []  # told with the other targets
    if kind not in _KINDS or kind == target:
        return [f" is {target}, but must be one of {', '.join(_OPTUNA + name for name in _KINDS)}"]
    if any(_interpolated(value) for value in config.values()):
        return []
    return _choice_mistakes(config.get("choices")) if kind == _KINDS[2] else _range_mistakes(config, kind == _KINDS[1])


def _choice_mistakes(choices: Any) -> list[str]:
    if not isinstance(choices, list) or not choices:
        return [f".choices must be a list with at least one value, but is {'empty' if not choices else repr(choices)}"]
    wrong = [choice for choice in choices if not isinstance(choice, str | int | float | None)]
    return [f".choices must be numbers, words, true, false or null, but one is {choice!r}" for choice in wrong]


def _range_mistakes(config: dict[str, Any], whole: bool) -> list[str]:
    """Return what is wrong with low, high, log and step."""
    found = [f".{key} is missing" for key in ("low", "high") if config.get(key) is None]
    ends = {key: config[key] for key in ("low", "high", "step") if config.get(key) is not None}
    kind = "a whole number" if whole else "a number"
    wrong = [f".{key} must be {kind}, but is {value!r}" for key, value in ends.items() if not _is_number(value, whole)]
    log = config.get("log", False)
    wrong += [] if isinstance(log, bool) else [f".log must be true or false, but is {log!r}"]
    if found or wrong:
        return found + wrong
    low, high, step = ends["low"], ends["high"], ends.get("step")
    rules = {
        f" must go from low to high, but goes from {low} to {high}": low > high,
        f" must begin above 0 where log is true, but begins at {low}": log and low <= 0,
        ".step must be left out where log is true": log and step not in (None, *([1] if whole else [])),
        f".step must be above 0, but is {step}": step is not None and step <= 0,
        f".step must lead from {low} to {high}, but is {step}": not log and not _divides(step, high - low),
    }
    return [rule for rule, broken in rules.items() if broken]


def _divides(step: float | None, way: float) -> bool:
    """Return whether steps end where the way ends; no step, or none that leads on, is for others to tell."""
    return step is None or step <= 0 or abs(way / step - round(way / step)) < 1e-8


def _is_number(value: Any, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return not whole or value == int(value)


def _interpolated(value: Any) -> bool:
    """Return whether only Hydra knows the value."""
    return isinstance(value, str) and "${" in value
