"""Can a model be searched and judged as its file says? Its space, its probabilities.

A map for the next reader:

- model_mistakes: what is wrong in a file of conf/model/, in sentences that begin with the key.
- _built: an estimator made for its parameters' names. What the text of its class confirms needs none: importing
  scikit-learn takes seconds, and a file without mistakes spares them.

What a distribution may be is distributions.py's to say; what may be built at all, targets.py's.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, get_args

from mlworkflow.config.distributions import distribution_mistakes
from mlworkflow.config.targets import defines, parameters_of
from mlworkflow.core.errors import nearest
from mlworkflow.core.params import Augment, Family
from mlworkflow.core.problem import Task
from mlworkflow.measures.metrics import METRICS

_GIVES = "predict_proba"


def model_mistakes(section: dict[str, Any]) -> list[str]:
    """Return what is wrong with a model: its spaces, a classifier without probabilities."""
    space = section.get("space")
    spaces = space.items() if isinstance(space, dict) else ()
    found = [
        f"space.{kind}{told}"
        for kind, parameters in spaces
        if kind in get_args(Family) and isinstance(parameters, dict)
        for told in _space_mistakes(kind, parameters, section.get(kind))
    ]
    return found + _probability_mistakes(section.get("classification"))


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
    return [f".{name} is no parameter of {estimator['_target_']}{_meant(name, known)}" for name in unknown]


def _meant(name: str, known: list[str]) -> str:
    """Return the parameter of this name of an estimator inside, else the nearest name."""
    inner = [one for one in known if one.endswith(f"__{name}")]
    return f", did you mean {inner[0]!r}?" if inner else nearest(name, known)


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
    if not _is_target(estimator) or defines(estimator["_target_"], _GIVES):
        return []
    if _may_give_probabilities(_built_or_none(estimator)):
        return []
    resting = ", ".join(name for name, metric in METRICS.items() if metric.needs_probabilities)
    return [
        f"classification: {estimator['_target_']} gives no probabilities, but {resting} and the threshold rest on "
        "them; put sklearn.calibration.CalibratedClassifierCV around it, as conf/model/svm_linear.yaml does"
    ]


def _may_give_probabilities(built: Any) -> bool:
    """Return whether an estimator gives probabilities, or fails before it can say: some know it after `fit` alone."""
    import warnings

    if built is None or hasattr(built, _GIVES):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return hasattr(built.fit([[row % 7, row % 3] for row in range(40)], [row % 2 for row in range(40)]), _GIVES)
        except Exception:
            return True


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
