"""What an answer in Python's notation means to sympy: a walk over its syntax tree by a list of what may stand there.
Nothing is evaluated by name, since what a model wrote is hostile, and sympy's own `parse_expr` runs code.

Only the killable child uses this: sympy computes at will.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import sympy
from latex2sympy2_extended.logic import And
from latex2sympy2_extended.sets import FiniteSet

from ml.answer_python import CONSTANTS, FUNCTIONS, UNKNOWN_FUNCTIONS, is_symbol

DEEPEST_TREE = 150
# Larger powers and factorials are left as they are written: they are compared by their form.
MOST_BITS, LARGEST_FACTORIAL = 50_000, 1_000

_CONSTANTS = {name: getattr(sympy, name) for name in CONSTANTS - {"inf", "Reals"}} | {
    "inf": sympy.oo,
    "Reals": sympy.S.Reals,
    "EmptySet": sympy.S.EmptySet,
}


class Unreadable(Exception):
    """What stands there is none of what may."""


def meaning_of(tree: ast.expr) -> Any:
    """What sympy has for the answer. Raises Unreadable where it has something else, or nothing; sympy's own errors
    may come as well.
    """
    meaning = _read(tree, 0)
    if not isinstance(meaning, sympy.Basic | sympy.MatrixBase) or meaning.has(sympy.nan, sympy.zoo):
        raise Unreadable
    return meaning


def pair(left: Any, right: Any, left_open: bool, right_open: bool) -> Any:
    """Two parts in brackets, as math-verify reads those of LaTeX: an interval where they ascend."""
    try:
        if right < left or (left_open and right_open and right <= left):
            return sympy.Tuple(left, right)
        return sympy.Interval(left, right, left_open=left_open, right_open=right_open)
    except (TypeError, ValueError):
        return sympy.Tuple(left, right)


def _read(node: ast.expr, depth: int) -> Any:
    if depth > DEEPEST_TREE:
        raise Unreadable
    parts = [_read(part, depth + 1) for part in _parts(node)]
    match node:
        case ast.Constant(value=value):
            return _number(value)
        case ast.Name(id=name):
            return _name(name)
        case ast.UnaryOp(op=ast.USub()):
            return -parts[0]
        case ast.UnaryOp(op=ast.UAdd()):
            return parts[0]
        case ast.BinOp(op=operator):
            return _operation(operator, *parts)
        case ast.Compare(ops=operators):
            return _relation(operators, parts)
        case ast.List():
            return _sequence(parts, is_open=False)
        case ast.Tuple():
            return _sequence(parts, is_open=True)
        case ast.Set():
            return FiniteSet(*parts)
        case ast.Dict():
            half = len(parts) // 2
            return FiniteSet(*map(_equation, parts[:half], parts[half:]))
        case ast.Call(keywords=[]):
            return _call(_called(node.func), parts, node.args)
    raise Unreadable


def _parts(node: ast.expr) -> Sequence[ast.expr]:
    match node:
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.Dict(keys=keys, values=values):
            return [key for key in keys if key is not None] + values
        case ast.Call(args=arguments):
            # A matrix is made of lists, which mean nothing else there.
            return [] if _called(node.func) in _MATRICES else arguments
    return []


def _number(value: object) -> Any:
    if isinstance(value, complex):
        return sympy.Rational(repr(value.imag)) * sympy.I
    if isinstance(value, float):
        return sympy.Float(repr(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return sympy.Integer(value)
    raise Unreadable


def _name(name: str) -> Any:
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    if not is_symbol(name):
        raise Unreadable
    return sympy.Symbol(name, real=True)


def _operation(operator: ast.operator, left: Any, right: Any) -> Any:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.Pow():
            return _power(left, right)
        case ast.BitAnd():
            return _all([left, right])
        case ast.BitOr():
            return (
                FiniteSet(left, right) if isinstance(left, sympy.core.relational.Relational) else left | right
            )
    raise Unreadable


def _power(base: Any, exponent: Any) -> Any:
    if base.is_Rational and exponent.is_Number and abs(base) != 1:
        bits = max(int(base.p).bit_length(), int(base.q).bit_length())
        if not exponent.is_finite or bits * abs(exponent) > MOST_BITS:
            return sympy.Pow(base, exponent, evaluate=False)
    return base**exponent


_RELATIONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.NotEq: sympy.Ne,
    ast.Lt: sympy.Lt,
    ast.LtE: sympy.Le,
    ast.Gt: sympy.Gt,
    ast.GtE: sympy.Ge,
}


def _relation(operators: Sequence[ast.cmpop], parts: Sequence[Any]) -> Any:
    relations = []
    for operator, left, right in zip(operators, parts, parts[1:], strict=False):
        if isinstance(operator, ast.Eq):
            relations.append(_equation(left, right))
        elif type(operator) in _RELATIONS:
            relations.append(_RELATIONS[type(operator)](left, right))
        else:
            raise Unreadable
    return relations[0] if len(relations) == 1 else _all(relations)


def _equation(left: Any, right: Any) -> Any:
    return sympy.Eq(left, right, evaluate=False)


def _all(conditions: Sequence[Any]) -> Any:
    # sympy prints what always holds along with the rest: (-oo < x) & (x < 2).
    told = [one for one in conditions if one is not sympy.true]
    parts = [part for one in told for part in (one.args if isinstance(one, sympy.And) else (one,))]
    if len(parts) > 1:
        parts = [one for one in parts if not any(side.is_infinite for side in one.args)]
    if not parts or not all(isinstance(part, sympy.core.relational.Relational) for part in parts):
        raise Unreadable
    return parts[0] if len(parts) == 1 else And(*parts)


def _sequence(parts: Sequence[Any], is_open: bool) -> Any:
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2 and all(isinstance(part, sympy.Expr) for part in parts):
        return pair(parts[0], parts[1], is_open, is_open)
    return sympy.Tuple(*parts)


_MATRICES = ("Matrix", "MutableDenseMatrix", "ImmutableDenseMatrix")
_NUMBERS = ("Integer", "Float", "np.float64", "np.float32", "np.int64", "np.int32")
_ALIASES: dict[str, Callable[..., Any]] = {
    "abs": sympy.Abs,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "Fraction": sympy.Rational,
    "FiniteSet": FiniteSet,
    "Eq": _equation,
    "And": lambda *parts: _all(parts),
    "Or": FiniteSet,
    **{f"Interval.{kind}": getattr(sympy.Interval, kind) for kind in ("open", "Lopen", "Ropen")},
}


def _called(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            return f"{name}.{attribute}"
    raise Unreadable


def _call(name: str, parts: Sequence[Any], nodes: Sequence[ast.expr]) -> Any:
    if name in UNKNOWN_FUNCTIONS:
        return sympy.Function(name)(*parts)
    if name not in FUNCTIONS:
        raise Unreadable
    if name in _MATRICES:
        return _matrix(nodes)
    if name in _NUMBERS:
        if len(parts) != 1:
            raise Unreadable
        return parts[0]
    if name in ("factorial", "binomial"):
        is_large = any(part.is_Number and abs(part) > LARGEST_FACTORIAL for part in parts)
        return getattr(sympy, name)(*parts, evaluate=not is_large)
    return (_ALIASES.get(name) or getattr(sympy, name))(*parts)


def _matrix(nodes: Sequence[ast.expr]) -> Any:
    match nodes:
        case [ast.List(elts=rows)]:
            return sympy.Matrix(
                [
                    [_read(part, 1) for part in (row.elts if isinstance(row, ast.List) else [row])]
                    for row in rows
                ]
            )
    raise Unreadable
