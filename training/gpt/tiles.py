"""Vector operators for `kernels`, written as LLVM instructions: rows times a panel of weights.

A compiler left to itself does not keep a block of sums in registers; here it is spelled out. The
vectors have 16 numbers: two registers of AVX2 or one of AVX-512, and LLVM cuts them to fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

PANEL = 16  # outputs
AHEAD = 2048  # bytes of a panel asked for before they are needed

_FLOAT, _INT, _WORD = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR, _INTS = ir.VectorType(_FLOAT, PANEL), ir.VectorType(_INT, PANEL)
_ZEROS = ir.Constant(_VECTOR, None)
_BYTES = ir.IntType(8).as_pointer()

Grown = Callable[[Any, list[Any]], list[Any]]  # (input number, sums) to sums


def padded(size: int) -> int:
    """`size` rounded up to whole panels."""
    return -(-size // PANEL) * PANEL


def tile(rows: int, panels: int) -> Any:
    """An operator for compiled code: y[r, panel c] = Σ_i x[r, i] · w[c, i].

    Its arguments: x (flat float32), offset of the first row, step to the next; w (flat; float32,
    uint16 for the upper half of a float32, or int8), offset of the first panel, step to the next;
    scales (flat float32; used with int8) and their offset; inputs; y, its offset and step.
    """

    @intrinsic
    def product(  # noqa: PLR0913 - flat arrays, each with its offset and step
        _context: Any, x: Any, x_at: Any, x_step: Any, w: Any, w_at: Any, w_step: Any,
        scales: Any, s_at: Any, inputs: Any, y: Any, y_at: Any, y_step: Any,
    ) -> Any:  # fmt: skip
        """The operator; see `tile`."""
        signature = types.void(
            x, x_at, x_step, w, w_at, w_step, scales, s_at, inputs, y, y_at, y_step
        )
        return signature, lambda *given: _product(rows, panels, *given)

    return product


def strided_tile(rows: int) -> Any:
    """An operator for compiled code: y[r, c] = Σ_i x[r, i] · w[i, c] for 16 columns c, or y += it.

    Its arguments: x (flat float32), its offset, the steps to the next row and the next input; w
    (flat float32), its offset and the step to the next input; inputs; y, its offset and step; and
    whether to add to what is in y.
    """

    @intrinsic
    def product(  # noqa: PLR0913 - flat arrays, each with its offset and steps
        _context: Any, x: Any, x_at: Any, x_step: Any, x_inner: Any, w: Any, w_at: Any,
        w_inner: Any, inputs: Any, y: Any, y_at: Any, y_step: Any, add: Any,
    ) -> Any:  # fmt: skip
        """The operator; see `strided_tile`."""
        signature = types.void(
            x, x_at, x_step, x_inner, w, w_at, w_inner, inputs, y, y_at, y_step, add
        )
        return signature, lambda *given: _strided_product(rows, *given)

    return product


@intrinsic
def apart(_context: Any) -> Any:
    """Keep the function that calls this out of its callers, which then compile faster."""

    def mark(context: Any, builder: Any, _signature: Any, _args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), mark


@intrinsic
def as_float(_context: Any, bits: Any) -> Any:
    """The float32 with these bits (int32)."""
    del bits  # any integer is cut to 32 bits
    return types.float32(types.int32), lambda _context, builder, _signature, args: builder.bitcast(
        args[0], _FLOAT
    )


def _product(rows: int, panels: int, context: Any, builder: Any, signature: Any, args: Any) -> Any:
    kinds = signature.args
    arrays = {n: context.make_array(kinds[n])(context, builder, args[n]).data for n in (0, 3, 6, 9)}
    words = {
        n: context.cast(builder, args[n], kinds[n], types.intp)
        for n in range(len(args))
        if n not in arrays
    }
    kind = kinds[3].dtype
    x = _starts(builder, arrays[0], words[1], words[2], rows)
    w = _starts(builder, arrays[3], words[4], words[5], panels)
    multiply_add, ask = _multiply_add(builder), _prefetch(builder)

    def grown(i: Any, sums: list[Any]) -> list[Any]:
        factors = [_splat(builder, builder.load(builder.gep(row, [i]))) for row in x]
        place = builder.mul(i, _WORD(PANEL))
        totals = []
        for c, panel in enumerate(w):
            at = builder.gep(panel, [place])
            ask(at)
            weights = _loaded(builder, at, kind)
            totals += [multiply_add(factors[r], weights, sums[c * rows + r]) for r in range(rows)]
        return totals

    totals = _looped(builder, words[8], [_ZEROS] * (rows * panels), grown)
    scales = _starts(builder, arrays[6], words[7], _WORD(PANEL), panels)
    y = _starts(builder, arrays[9], words[10], words[11], rows)
    for number, total in enumerate(totals):
        c, r = divmod(number, rows)
        if kind == types.int8:
            total = builder.fmul(total, _loaded(builder, scales[c], types.float32))
        target = builder.gep(y[r], [_WORD(c * PANEL)])
        builder.store(total, builder.bitcast(target, _VECTOR.as_pointer()), align=4)
    return context.get_dummy_value()


def _strided_product(rows: int, context: Any, builder: Any, signature: Any, args: Any) -> Any:
    kinds = signature.args
    arrays = {n: context.make_array(kinds[n])(context, builder, args[n]).data for n in (0, 4, 8)}
    words = {
        n: context.cast(builder, args[n], kinds[n], types.intp)
        for n in range(len(args))
        if n not in arrays
    }
    multiply_add = _multiply_add(builder)
    x = _starts(builder, arrays[0], words[1], words[2], rows)
    y = _starts(builder, arrays[8], words[9], words[10], rows)
    y = [builder.bitcast(row, _VECTOR.as_pointer()) for row in y]
    w = builder.gep(arrays[4], [words[5]])

    def grown(i: Any, sums: list[Any]) -> list[Any]:
        weights = _loaded(builder, builder.gep(w, [builder.mul(i, words[6])]), types.float32)
        place = builder.mul(i, words[3])
        factors = [_splat(builder, builder.load(builder.gep(row, [place]))) for row in x]
        return [multiply_add(f, weights, total) for f, total in zip(factors, sums, strict=True)]

    adds = builder.icmp_signed("!=", words[11], _WORD(0))
    starts = [builder.select(adds, builder.load(row, align=4), _ZEROS) for row in y]
    for row, total in zip(y, _looped(builder, words[7], starts, grown), strict=True):
        builder.store(total, row, align=4)
    return context.get_dummy_value()


def _starts(builder: Any, array: Any, at: Any, step: Any, count: int) -> list[Any]:
    return [
        builder.gep(array, [builder.add(at, builder.mul(step, _WORD(n)))]) for n in range(count)
    ]


def _multiply_add(builder: Any) -> Callable[..., Any]:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    name = f"llvm.fmuladd.v{PANEL}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return lambda *numbers: builder.call(function, numbers)


def _prefetch(builder: Any) -> Callable[[Any], Any]:
    """A function that asks for what lies `AHEAD` bytes behind a pointer."""
    kind = ir.FunctionType(ir.VoidType(), [_BYTES, _INT, _INT, _INT])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")

    def ask(pointer: Any) -> None:
        later = builder.gep(builder.bitcast(pointer, _BYTES), [_WORD(AHEAD)])
        builder.call(function, [later, _INT(0), _INT(3), _INT(1)])  # to read, keep close, data

    return ask


def _splat(builder: Any, value: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, _INT(0))
    return builder.shuffle_vector(first, first, ir.Constant(_INTS, None))


def _loaded(builder: Any, pointer: Any, kind: Any) -> Any:
    """A vector of numbers of this kind, as float32."""
    if kind == types.float32:
        return builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=4)
    size = 16 if kind == types.uint16 else 8
    narrow = ir.VectorType(ir.IntType(size), PANEL)
    numbers = builder.load(builder.bitcast(pointer, narrow.as_pointer()), align=1)
    if kind == types.int8:
        return builder.sitofp(builder.sext(numbers, _INTS), _VECTOR)
    halves = builder.shl(builder.zext(numbers, _INTS), ir.Constant(_INTS, [16] * PANEL))
    return builder.bitcast(halves, _VECTOR)


def _looped(builder: Any, count: Any, sums: list[Any], grown: Grown) -> list[Any]:
    """`grown` for 0 … count, two a turn, and the last one apart where count is odd."""
    even = builder.and_(count, _WORD(-2))
    entry, body, after = builder.block, *_blocks(builder, "sum", "summed")
    builder.cbranch(builder.icmp_signed(">", even, _WORD(0)), body, after)
    builder.position_at_end(body)
    i, *running = (builder.phi(start.type) for start in (_WORD(0), *sums))
    totals = grown(builder.add(i, _WORD(1)), grown(i, running))
    following = builder.add(i, _WORD(2))
    starts, nexts = (_WORD(0), *sums), (following, *totals)
    for phi, start, grown_on in zip((i, *running), starts, nexts, strict=True):
        phi.add_incoming(start, entry)
        phi.add_incoming(grown_on, body)
    builder.cbranch(builder.icmp_signed("<", following, even), body, after)
    builder.position_at_end(after)
    sums = _merged(builder, (entry, sums), (body, totals))

    entry, body, after = builder.block, *_blocks(builder, "odd", "done")
    builder.cbranch(builder.icmp_signed(">", count, even), body, after)
    builder.position_at_end(body)
    totals = grown(even, sums)
    builder.branch(after)
    builder.position_at_end(after)
    return _merged(builder, (entry, sums), (body, totals))


def _blocks(builder: Any, *names: str) -> list[Any]:
    return [builder.append_basic_block(name) for name in names]


def _merged(builder: Any, *ways: tuple[Any, list[Any]]) -> list[Any]:
    """The sums of whichever block control came from."""
    merged = []
    for totals in zip(*(totals for _, totals in ways), strict=True):
        total = builder.phi(_VECTOR)
        for (block, _), one in zip(ways, totals, strict=True):
            total.add_incoming(one, block)
        merged.append(total)
    return merged
