"""A graph of ONNX that is built node by node; names are numbered, so that equal pipelines give equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, ML_OPSET, IR = 21, 5, 10  # of the operators, of those for trees and labels, of the file
ML = "ai.onnx.ml"


class NotConvertibleError(Exception):
    """A part of a pipeline has no form in ONNX; the message says which, for people."""


class Graph:
    """Nodes and constants; a value is known by its name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: dict[str, Any] = {}
        self._count = 0

    def input(self, name: str, *, word: bool) -> str:
        """Return the (n, 1) input of a column: words, empty where missing, or double numbers, NaN where missing."""
        kind = TensorProto.STRING if word else TensorProto.DOUBLE
        self.inputs.setdefault(name, helper.make_tensor_value_info(name, kind, [None, 1]))
        return name

    def constant(self, value: Any, dtype: str = "float64") -> str:
        """Return the name of a constant."""
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(np.asarray(value, dtype=dtype)), name))
        return name

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Return the name of what a new node of one output gives."""
        name = self._name(kind)
        self.nodes.append(helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name

    def concat(self, parts: Sequence[str]) -> str:
        """Return (n, ...) parts side by side."""
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=1)

    def double(self, value: str) -> str:
        """Return a value as double."""
        return self.node("Cast", value, to=TensorProto.DOUBLE)

    def columns(self, value: str, places: Any) -> str:
        """Return some of the columns of an (n, d) value."""
        return self.node("Gather", value, self.constant(places, "int64"), axis=1)

    def inline(self, model: Any, given: Mapping[str, str]) -> list[str]:
        """Add another model's nodes; return the names of its outputs. `given`: its inputs -> names of here."""
        self._count += 1
        known = dict(given)

        def own(name: str) -> str:
            return known.setdefault(name, f"/{self._count}/{name}") if name else ""

        for constant in model.graph.initializer:
            kept = onnx.TensorProto.FromString(constant.SerializeToString())
            kept.name = own(constant.name)
            self.constants.append(kept)
        for node in model.graph.node:
            kept = onnx.NodeProto.FromString(node.SerializeToString())
            kept.input[:], kept.output[:] = map(own, node.input), map(own, node.output)
            kept.name = ""
            self.nodes.append(kept)
        return [own(output.name) for output in model.graph.output]

    def model(self, output: str, name: str, *, whole_numbers: bool, width: int | None) -> Any:
        """Return the file: all inputs, and `output` under `name`, (n, width), or (n,) where it has none."""
        self.nodes.append(helper.make_node("Identity", [output], [name]))
        kind = TensorProto.INT64 if whole_numbers else TensorProto.DOUBLE
        told = helper.make_tensor_value_info(name, kind, [None] if width is None else [None, width])
        graph = helper.make_graph(self.nodes, "mlworkflow", list(self.inputs.values()), [told], self.constants)
        operators = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
        made = helper.make_model(graph, opset_imports=operators, producer_name="mlworkflow")
        made.ir_version = IR
        onnx.checker.check_model(made)
        return made

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"/{self._count}/{kind}"
