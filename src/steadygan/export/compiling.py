"""From a generator to a program: what torch exports of it becomes `program`'s operations, one by one.

What does not depend on the latent or the label is computed here and becomes a constant: scales at run time, spectral
norms, weights that are added up. Scales and shifts, such as a batch norm's, become part of the convolution before them.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, fx, nn

from steadygan.errors import ConfigError
from steadygan.export.building import Builder, Computed, Unknown
from steadygan.export.operations import MAKERS, MOVES
from steadygan.export.program import Program

_TAKEN_APART = {
    "aten._softmax.default",
    "aten.native_layer_norm.default",
    "aten.native_group_norm.default",
    "aten._native_batch_norm_legit.no_stats",
}


def compiled(generator: nn.Module, latent_dim: int, classes: int = 0) -> Program:
    """The program that makes one picture as `generator` does in evaluation mode.

    ConfigError if torch cannot say ahead what it computes, if it draws random numbers, or for an operation that no
    program has.
    """
    given = (torch.zeros(1, latent_dim), *((torch.zeros(1, dtype=torch.int64),) if classes else ()))
    exported = _exported(generator, given)
    graph = _Graph(exported)
    needed = _needed(exported.graph)
    for node in exported.graph.nodes:
        if node in needed or node.op == "placeholder":
            graph.take(node)
    if not isinstance(graph.result, Computed):
        raise Unknown("the pictures of this generator do not depend on its latent")
    return _without_the_rest(graph.builder, graph.result.number, latent_dim, classes)


def _exported(generator: nn.Module, given: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    table = torch.export.default_decompositions()
    known = torch._decomp.decomposition_table  # noqa: SLF001 - as torch's own documents have it
    table.update({operation: made for operation, made in known.items() if str(operation) in _TAKEN_APART})
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch about itself
            return torch.export.export(generator, given).run_decompositions(table)
    except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError) as problem:
        said = next(iter(str(problem).strip().splitlines()), type(problem).__name__)
        raise ConfigError(f"torch cannot say ahead what this generator computes: {said}") from problem


def _needed(graph: fx.Graph) -> set[fx.Node]:
    """The nodes that the output depends on: what torch asserts beside them is no part of the picture."""
    found, open_ = set[fx.Node](), [graph.output_node()]
    while open_:
        if (node := open_.pop()) not in found:
            found.add(node)
            open_ += node.all_input_nodes
    return found


def _without_the_rest(builder: Builder, result: int, latent_dim: int, classes: int) -> Program:
    """Without the instructions and constants that nothing looks at."""
    wanted, kept = {result}, []
    for it in reversed(builder.instructions):
        if it["out"] in wanted:
            wanted |= set(it["in"])
            kept.append(it)
    places: dict[int, int] = {}
    for it in kept[::-1]:
        it["in"] = [one if one >= 0 else ~places.setdefault(~one, len(places)) for one in it["in"]]
        it |= {name: places.setdefault(it[name], len(places)) for name in ("w", "b", "scale", "shift") if name in it}
    constants = tuple(builder.constants[place] for place in places)
    return Program(tuple(kept[::-1]), constants, result, latent_dim, classes)


class _Graph:
    """Goes through the nodes in order; `values` holds what each gives, a `Computed` or a constant."""

    def __init__(self, exported: torch.export.ExportedProgram) -> None:
        self.builder = Builder()
        self.values: dict[fx.Node, Any] = {}
        self.result: Any = None
        self._exported = exported
        self._inputs = 0

    def take(self, node: fx.Node) -> None:
        """Compute the node now if it is constant, or else add what computes it."""
        if node.op == "output":
            self.result = self.values[node.args[0][0]]  # type: ignore[index]
            return
        made = self.values[node] = self._given(node) if node.op == "placeholder" else self._made(node)
        if isinstance(made, Computed):
            self.builder.holders.setdefault(made.number, []).append(node)

    def _given(self, node: fx.Node) -> Any:
        signature, name = self._exported.graph_signature, node.name
        held: dict[str, Any] = {**self._exported.constants, **self._exported.state_dict}
        named = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        if name in named:
            return held[named[name]].detach()
        self._inputs += 1
        return Computed(self._inputs - 1, node.meta["val"].shape)

    def _made(self, node: fx.Node) -> Any:
        call: Any = node.target
        if torch.Tag.nondeterministic_seeded in getattr(call, "tags", ()):
            raise Unknown(f"this generator draws random numbers ({call}), and its pictures are not its latents' alone")
        args, kwargs = self._filled(node.args), self._filled(dict(node.kwargs))
        inputs = [one for one in _flat([args, list(kwargs.values())]) if isinstance(one, Computed)]
        if not inputs:
            with torch.no_grad():
                return call(*args, **kwargs)
        if str(call) in MOVES and len(inputs) == 1:
            kwargs = {name: it for name, it in kwargs.items() if name != "memory_format"}
            place = next(place for place, one in enumerate(args) if one is inputs[0])
            return self.builder.moved(inputs[0], lambda x: call(*args[:place], x, *args[place + 1 :], **kwargs))
        if str(call) not in MAKERS:
            raise Unknown(f"a page knows no operation {call}")
        return MAKERS[str(call)](self.builder, node, args, kwargs)

    def _filled(self, args: Any) -> Any:
        """Arguments as lists and dicts that hold values, or constants, in place of nodes."""
        if isinstance(args, fx.Node):
            return self.values[args]
        if isinstance(args, dict):
            return {name: self._filled(one) for name, one in args.items()}
        return [self._filled(one) for one in args] if isinstance(args, list | tuple) else args


def _flat(args: Any) -> list[Any]:
    return [leaf for arg in args for leaf in _flat(arg)] if isinstance(args, list | tuple) else [args]
