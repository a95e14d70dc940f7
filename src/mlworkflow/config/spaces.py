"""Can a model be searched and judged as its file says? Its space, and whether its classifier gives probabilities.

A map for the next reader:

- model_mistakes: what is wrong in a file of conf/model/, in sentences that begin with the key.
- distribution_mistakes: what Optuna would refuse of one parameter, said before it is asked.
- _built: an estimator made for its parameters' names. What the text of its class confirms needs none: importing
  scikit-learn takes seconds, and a file without mistakes spares them.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

from mlworkflow.config.targets import absent, defines, parameters_of
from mlworkflow.core.errors import nearest
from mlworkflow.core.params import Augment
from mlworkflow.core.problem import Task
from mlworkflow.measures.metrics import METRICS

_OPTUNA = "optuna.distributions."
_KINDS = ("FloatDistribution", "IntDistribution", "CategoricalDistribution")


def model_mistakes(section: dict[str, Any]) -> list[str]:
    """Return what is wrong with the search spaces of a model, and with a classifier that gives no probabilities."""
    space = section.get("space")
    spaces = space.items() if isinstance(space, dict) else ()
    found = [
        f"space.{kind}{told}"
        for kind, parameters in spaces
        if isinstance(parameters, dict)
        for told in _space_mistakes(str(kind), parameters, section.get(kind))
    ]
    return [*found, *_probability_mistakes(section.get("classification"))]


def _space_mistakes(kind: str, parameters: dict[str, Any], estimator: Any) -> list[str]:
    """Return the parameters that the estimator has not, and those whose distribution is none."""
    if parameters and estimator is None:
        return [f" has parameters, but there is no estimator for {kind}"]
    unknown = _unknown(estimator, [str(name) for name in parameters]) if _is_target(estimator) else []
    return unknown + [
        f".{name}{told}"
        for name, config in parameters.items()
        if _is_target(config)
        for told in distribution_mistakes(config)
    ]


def _unknown(estimator: dict[str, Any], names: list[str]) -> list[str]:
    """Return the names that `set_params` would not take, each with the nearest that it would.

    Where the estimator cannot be built, its class says what is taken; of inner parameters, only the outer name counts.
    """
    unsure = [name for name in names if not _confirmed(estimator, name)]
    built = _built_or_none(estimator) if unsure else None
    known = parameters_of(estimator["_target_"]) if built is None else sorted(built.get_params())
    unknown = [name for name in unsure if known and (name.partition("__")[0] if built is None else name) not in known]
    return [f".{name} is no parameter of {estimator['_target_']}{nearest(name, known)}" for name in unknown]


def _is_target(config: Any) -> bool:
    return isinstance(config, dict) and isinstance(config.get("_target_"), str)


def _confirmed(estimator: Any, name: str) -> bool:
    """Return whether the text of the estimator's class says that it has the parameter."""
    outer, _, inner = name.partition("__")
    if not _is_target(estimator) or outer not in parameters_of(estimator["_target_"]):
        return False
    return not inner or _confirmed(estimator.get(outer), inner)


def augment_mistakes(augment: Augment, task: Task) -> list[str]:
    """Return that what is added to the rows makes no sense for the task."""
    if task in augment.tasks:
        return []
    return [f"it is for {', '.join(augment.tasks)}, but the task is {task}; augment=none leaves the rows as they are"]


# ---- probabilities ---------------------------------------------------------------------------------------------------


def _probability_mistakes(estimator: Any) -> list[str]:
    """Return that a classifier gives no probabilities, with what rests on them."""
    if not _is_target(estimator) or defines(estimator["_target_"], "predict_proba"):
        return []
    built = _built_or_none(estimator)
    if built is None or hasattr(built, "predict_proba"):
        return []
    resting = ", ".join(name for name, metric in METRICS.items() if metric.needs_probabilities)
    return [
        f"classification: {estimator['_target_']} gives no probabilities, but {resting} and the threshold rest on "
        "them; put sklearn.calibration.CalibratedClassifierCV around it, as conf/model/svm_linear.yaml does"
    ]


def _built_or_none(estimator: dict[str, Any]) -> Any:
    """Return the estimator, None where it cannot be built: why not is told elsewhere."""
    try:
        return _built(estimator)
    except Exception:
        return None


def _built(config: Any) -> Any:
    """Return the object of a configuration, without Hydra; values that only Hydra knows keep their default."""
    if isinstance(config, list):
        return [_built(item) for item in config]
    if not isinstance(config, dict):
        return config
    values = {key: _built(value) for key, value in config.items() if key != "_target_" and not _interpolated(value)}
    if "_target_" not in config:
        return values
    module, _, name = str(config["_target_"]).rpartition(".")
    return getattr(import_module(module), name)(**values)


def _interpolated(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


# ---- distributions ---------------------------------------------------------------------------------------------------


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
    }
    return [rule for rule, broken in rules.items() if broken]


def _is_number(value: Any, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return not whole or value == int(value)
