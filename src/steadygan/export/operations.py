"""What each operation of torch's exported graphs becomes in a program."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn.functional import pad

from steadygan.export.building import Builder, Computed, Unknown
from steadygan.export.program import OUTSIDE

Maker = Callable[[Builder, fx.Node, list[Any], dict[str, Any]], Any]
_ONE, _ZERO = torch.ones(1), torch.zeros(1)


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(node.meta["val"].shape)


def _convolution(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    maps, weight, bias, stride, padding, dilation, transposed, _, groups = args
    if isinstance(weight, Computed) or not isinstance(maps, Computed) or len(maps.shape) != 4:
        raise Unknown("a page knows only convolutions of maps, with weights that are fixed")
    shape, kernel = _shape(node), tuple(weight.shape[2:])
    if transposed:  # rows: a channel and a place of the kernel, as a matrix product makes them
        weight = weight.unflatten(0, (groups, -1)).permute(0, 2, 3, 4, 1)
    form: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "kernel": kernel}
    form |= {"b": builder.constant(bias)} if bias is not None else {}
    form |= {"w": builder.constant(weight), "groups": groups, "transposed": bool(transposed)}
    return builder.add("convolution", [maps], shape, maps=maps.shape, outside=shape[1], sides=shape[2:], **form)


def _product(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    """Of matrices (rows, inner) and (inner, columns), or of as many pairs of them."""
    (first, second), shape = args, _shape(node)
    if not isinstance(first, Computed):
        raise Unknown("a page knows only products whose first matrix is not fixed")
    sizes = [shape[0] if len(shape) == 3 else 1, *shape[-2:], first.shape[-1]]
    if isinstance(second, Computed):
        return builder.add("product", [first, builder.moved(second, lambda x: x.mT)], shape, sizes=sizes)
    return builder.add("product", [first], shape, sizes=sizes, w=builder.constant(second.mT))


def _dense(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Any:
    bias, *matrices = args
    if kwargs:
        raise Unknown("a page knows addmm only without factors")
    made = _product(builder, node, matrices, {})
    builder.holders[made.number] = []
    return _sum(builder, node, [made, bias], {})


def _norm(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> list[Any]:
    maps, weight, bias, mean, variance, _, eps = args
    scale = (variance.double() + eps).rsqrt() * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - mean * scale
    return [builder.affine(node, maps, scale, shift, 1), None, None]


def _mapped(name: str, takes: int = 1) -> Maker:
    """A function of each place."""

    def make(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
        shape = _shape(node)
        return builder.add("map", [builder.full(one, shape) for one in args[:takes]], shape, f=name)

    return make


def _arithmetic(name: str, linear: Callable[[Tensor, bool], tuple[Tensor, Tensor] | None]) -> Maker:
    """A sum, difference, product or quotient; `linear` gives the scale and shift that a constant comes to.

    It is told whether the constant stands behind.
    """

    def make(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
        (first, second), shape, alpha = args, _shape(node), kwargs.get("alpha", 1)
        if alpha != 1:
            if isinstance(second, Computed):
                raise Unknown(f"a page knows {node.target} only without alpha")
            second = second * alpha
        value, fixed = (first, second) if isinstance(first, Computed) else (second, first)
        numbers = None if isinstance(fixed, Computed) or value.shape != shape else _along_one_axis(fixed, shape)
        joined = linear(numbers[0], value is first) if numbers else None
        if numbers and joined:
            return builder.affine(node, value, *joined, numbers[1])
        return builder.add("map", [builder.full(one, shape) for one in (first, second)], shape, f=name)

    return make


def _along_one_axis(fixed: Any, shape: Sequence[int]) -> tuple[Tensor, int] | None:
    """A constant that has a number for each place along one axis, or one for all, and that axis; None of others."""
    tensor = torch.as_tensor(fixed, dtype=torch.float32)
    form = [*[1] * (len(shape) - tensor.ndim), *tensor.shape]
    wide = [axis for axis, side in enumerate(form) if side > 1]
    return (tensor.flatten(), (wide or [0])[0]) if len(wide) <= 1 and len(form) == len(shape) else None


_sum = _arithmetic("add", lambda fixed, behind: (_ONE, fixed))


def _reduced(name: str, *, mean: bool = False, root: bool = False) -> Maker:
    """A sum or the like over some axes, which are moved behind all others first."""

    def make(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
        value, axes = args[0], args[1] if len(args) > 1 else None
        over = [axis % len(value.shape) for axis in axes or range(len(value.shape))]
        kept = [axis for axis in range(len(value.shape)) if axis not in over]
        rows = builder.moved(value, lambda x: x.permute(*kept, *over))
        count = torch.Size(value.shape[axis] for axis in over).numel()
        times = 1 / count if mean else 1
        if name == "variance":
            correction = kwargs.get("correction", 1)
            times = count / (count - (1 if correction is None else correction))
        shape = [1 if axis in over else side for axis, side in enumerate(value.shape)]
        return builder.add("reduce", [rows], shape, f=name, over=count, times=times)

    return make


def _kept(make: Maker) -> Maker:
    """Gives a reduction the form that the graph wants, with or without the axes it went over."""

    def made(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
        return Computed(make(builder, node, args, kwargs).number, _shape(node))

    return made


def _variance_and_mean(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> list[Computed]:
    made = [make(builder, node, args, kwargs) for make in (_reduced("variance"), _reduced("sum", mean=True))]
    return [Computed(one.number, it.shape) for one, it in zip(made, node.meta["val"], strict=True)]


def _length(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    value, order, axes = (*args, 2, None)[:3] if len(args) < 3 else args[:3]
    if order != 2:
        raise Unknown("a page knows only the norm of order 2")
    squares = builder.add("map", [value, value], value.shape, f="mul")
    total = _reduced("sum")(builder, node, [squares, axes], {})
    return builder.add("map", [total], _shape(node), f="sqrt")


def _cat(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    parts, shape = args[0], _shape(node)
    axis = (args[1] if len(args) > 1 else 0) % len(shape)
    return builder.add("cat", list(parts), shape, outer=torch.Size(shape[:axis]).numel())


def _rows(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    table, places = args[:2]
    if isinstance(table, Computed):
        raise Unknown("a page knows only embeddings that are fixed")
    return builder.add("rows", [places], _shape(node), w=builder.constant(table), width=table.shape[1])


def _padded(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    value, sides = args[:2]
    steps = [torch.Size(value.shape[axis + 1 :]).numel() for axis in range(len(value.shape))]
    tables = []
    for axis, (side, step) in enumerate(zip(value.shape, steps, strict=True)):
        first = 2 * (len(value.shape) - 1 - axis)
        around = tuple(sides[first : first + 2]) or (0, 0)
        table = pad(torch.arange(side), around, value=-1)
        tables.append(torch.where(table < 0, OUTSIDE, table * step).tolist())
    fill = args[2] if len(args) > 2 else 0
    return builder.add("pick", [value], _shape(node), tables=tables, fill=float(fill))


def _resampled(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    """What makes of each row, and then of each column, weighted sums: found by showing it one row at a time."""
    value, shape = args[0], _shape(node)
    call: Any = node.target
    places, shares = [], []
    for axis, inside in enumerate(value.shape[2:]):
        shown = torch.eye(inside)[:, None, :, None].expand(inside, 1, inside, value.shape[3 - axis])
        made = call(shown if axis == 0 else shown.mT, *args[1:], **kwargs)
        matrix = (made if axis == 0 else made.mT)[:, 0, :, 0].T  # (outside, inside)
        most = int((matrix != 0).sum(1).max())
        found = matrix.abs().topk(most).indices.sort().values
        places.append(found.tolist())
        shares.append(matrix.gather(1, found).tolist())
    return builder.add("taps", [value], shape, sides=value.shape[2:], places=places, shares=shares)


def _elu(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    if any(factor != 1 for factor in args[2:]):
        raise Unknown("a page knows elu only without a scale")
    return builder.add("map", [args[0], args[1] if len(args) > 1 else 1.0], _shape(node), f="elu")


def _leaky(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    return builder.add("map", [args[0], args[1] if len(args) > 1 else 0.01], _shape(node), f="leaky")


def _gelu(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    return builder.add("map", args[:1], _shape(node), f="gelu" + "_tanh" * (kwargs.get("approximate") == "tanh"))


def _clamp(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    value, shape = args[0], _shape(node)
    low, high = (*args[1:], None, None)[:2]
    for bound, name in ((kwargs.get("min", low), "maximum"), (kwargs.get("max", high), "minimum")):
        if bound is not None:
            value = builder.add("map", [value, builder.full(bound, shape)], shape, f=name)
    return value


def _same(builder: Builder, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Computed:
    return Computed(args[0].number, args[0].shape)


_DIFFERENCE = _arithmetic("sub", lambda fixed, behind: (_ONE, -fixed) if behind else (-_ONE, fixed))
_TIMES = _arithmetic("mul", lambda fixed, behind: (fixed, _ZERO))
_OVER = _arithmetic("div", lambda fixed, behind: (1 / fixed, _ZERO) if behind else None)
_MEAN = _kept(_reduced("sum", mean=True))
_POWER = _mapped("pow", 2)

MAKERS: Mapping[str, Maker] = {
    "aten.convolution.default": _convolution,
    "aten.mm.default": _product,
    "aten.bmm.default": _product,
    "aten.addmm.default": _dense,
    "aten._native_batch_norm_legit_no_training.default": _norm,
    str(operator.getitem): lambda builder, node, args, kwargs: args[0][args[1]],
    **dict.fromkeys(("aten.add.Tensor", "aten.add.Scalar"), _sum),
    **dict.fromkeys(("aten.sub.Tensor", "aten.sub.Scalar"), _DIFFERENCE),
    **dict.fromkeys(("aten.mul.Tensor", "aten.mul.Scalar"), _TIMES),
    **dict.fromkeys(("aten.div.Tensor", "aten.div.Scalar"), _OVER),
    **dict.fromkeys(("aten.pow.Tensor_Scalar", "aten.pow.Tensor_Tensor", "aten.pow.Scalar"), _POWER),
    "aten.mean.dim": _MEAN,
    "aten.mean.default": _MEAN,
    "aten.sum.dim_IntList": _kept(_reduced("sum")),
    "aten.sum.default": _kept(_reduced("sum")),
    "aten.amax.default": _kept(_reduced("max")),
    "aten.var.correction": _kept(_reduced("variance")),
    "aten.var_mean.correction": _variance_and_mean,
    "aten.linalg_vector_norm.default": _length,
    "aten.cat.default": _cat,
    "aten.embedding.default": _rows,
    "aten.constant_pad_nd.default": _padded,
    "aten.upsample_bilinear2d.vec": _resampled,
    "aten.upsample_bicubic2d.vec": _resampled,
    "aten.avg_pool2d.default": _resampled,
    "aten._adaptive_avg_pool2d.default": _resampled,
    "aten.elu.default": _elu,
    "aten.gelu.default": _gelu,
    "aten.leaky_relu.default": _leaky,
    "aten.clamp.default": _clamp,
    "aten.clamp.Tensor": _clamp,
    "aten.hardtanh.default": _clamp,
    "aten._to_copy.default": _same,
    "aten.where.self": _mapped("where", 3),
    "aten.maximum.default": _mapped("maximum", 2),
    "aten.minimum.default": _mapped("minimum", 2),
    "aten.logical_not.default": _mapped("not"),
    **{
        f"aten.{name}.{kind}": _mapped(name, 2)
        for name in ("gt", "ge", "lt", "le", "eq")
        for kind in ("Scalar", "Tensor")
    },
    **{
        f"aten.{name}.default": _mapped(name)
        for name in ("relu", "tanh", "sigmoid", "erf", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt")
    },
    **{f"aten.{name}.default": _mapped(name) for name in ("reciprocal", "neg", "abs", "sin", "cos")},
}

MOVES = {
    f"aten.{name}"
    for name in [
        "view.default",
        "reshape.default",
        "_unsafe_view.default",
        "unsqueeze.default",
        "squeeze.default",
        "squeeze.dim",
        "squeeze.dims",
        "permute.default",
        "transpose.int",
        "t.default",
        "expand.default",
        "slice.Tensor",
        "select.int",
        "flip.default",
        "clone.default",
        "alias.default",
        "detach.default",
        "repeat.default",
        "roll.default",
        "index_select.default",
        "index.Tensor",
        "upsample_nearest2d.vec",
        "_upsample_nearest_exact2d.vec",
        "as_strided.default",
        "split_with_sizes.default",
        "split.Tensor",
        "unbind.int",
        "pixel_shuffle.default",
        "replication_pad2d.default",
        "reflection_pad2d.default",
        "diagonal.default",
    ]
}
"""Operations that only put numbers in other places."""
