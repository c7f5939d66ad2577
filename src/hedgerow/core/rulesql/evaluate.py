"""The syntax tree to closures: compiled once, run for every message. A closure takes a Scope and answers a value."""

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from typing import Final

from hedgerow.core.rulesql import syntax as tree
from hedgerow.core.rulesql.errors import FunctionRefused, SqlParseError
from hedgerow.core.rulesql.functions import FUNCTIONS, NOT_YET, Scope
from hedgerow.core.rulesql.functions.collections import item
from hedgerow.core.rulesql.functions.numeric import remainder
from hedgerow.core.rulesql.values import (
    MAX_BITS,
    MAX_TEXT,
    NUMBERS,
    UNDEFINED,
    Undefined,
    Value,
    is_number,
    same,
    to_boolean,
    to_int_down,
    to_number,
    to_text,
    whole_to_int,
)

Evaluate = Callable[[Scope], Value]


def compile_expression(expression: tree.Expression) -> Evaluate:
    """Compile an expression; raise FunctionRefused for a function that is not there."""
    match expression:
        case tree.Literal(value):
            return lambda _: value
        case tree.Field(name):
            return lambda scope: _member(scope.document, name)
        case tree.Variable(name):
            return lambda scope: scope.variables.get(name, UNDEFINED)
        case tree.Member(of, name):
            inner = compile_expression(of)
            return lambda scope: _member(inner(scope), name)
        case tree.Index(of, at):
            container, index = compile_expression(of), compile_expression(at)
            return lambda scope: item(container(scope), index(scope))
        case tree.Call() | tree.Cast() | tree.Raw():
            return _compile_call(expression)
        case tree.Unary() | tree.Binary() | tree.Case():
            return _compile_operator(expression)
        case tree.ObjectOf() | tree.ArrayOf() | tree.Nested():
            return _compile_structure(expression)


def compile_selection(selection: tree.Selection) -> Evaluate:
    """Compile what SELECT asks for."""
    if selection.is_value:
        return (lambda scope: scope.document) if selection.value is None else compile_expression(selection.value)
    items = [
        (None if each.expression is None else compile_expression(each.expression), each.path)
        for each in selection.items
    ]

    def select(scope: Scope) -> Value:
        result: dict[str, Value] = {}
        for evaluate, path in items:
            value = scope.document if evaluate is None else evaluate(scope)
            if not path:
                result.update(value if isinstance(value, dict) else {})
            elif value is not UNDEFINED:
                _put(result, path, value)
        return result

    return select


def _put(result: dict[str, Value], path: tuple[str, ...], value: Value) -> None:
    for name in path[:-1]:
        inner = result.get(name)
        if not isinstance(inner, dict):
            inner = result[name] = {}
        result = inner
    result[path[-1]] = value


def _member(of: Value, name: str) -> Value:
    return of.get(name, UNDEFINED) if isinstance(of, dict) else UNDEFINED


def _compile_call(expression: tree.Call | tree.Cast | tree.Raw) -> Evaluate:
    match expression:
        case tree.Raw():
            return lambda scope: scope.message.payload
        case tree.Cast(value, kind):
            inner, convert = compile_expression(value), CASTS[kind]
            return lambda scope: convert(inner(scope))
        case tree.Call(name, arguments, position):
            function = FUNCTIONS.get(name)
            if function is None:
                reason = "is not there yet" if name in NOT_YET else "is not a function of AWS IoT SQL"
                raise FunctionRefused(f"{name}() at position {position} {reason}")
            if not function.least <= len(arguments) <= function.most:
                raise SqlParseError(f"{name}() does not take {len(arguments)} arguments, at position {position}")
            if name != "encode" and any(isinstance(argument, tree.Raw) for argument in arguments):
                raise SqlParseError(f"{name}() does not take *, at position {position}")
            call, compiled = function.call, [compile_expression(argument) for argument in arguments]
            return lambda scope: call(scope, [evaluate(scope) for evaluate in compiled])


def _compile_operator(expression: tree.Unary | tree.Binary | tree.Case) -> Evaluate:
    match expression:
        case tree.Unary("NOT", operand):
            inner = compile_expression(operand)
            return lambda scope: _negated(to_boolean(inner(scope)))
        case tree.Unary(_, operand):
            inner = compile_expression(operand)
            return lambda scope: _minus(0, inner(scope))
        case tree.Binary("AND", left, right):
            first, second = compile_expression(left), compile_expression(right)
            return lambda scope: _both(to_boolean(first(scope)), to_boolean(second(scope)))
        case tree.Binary("OR", left, right):
            first, second = compile_expression(left), compile_expression(right)
            return lambda scope: _either(to_boolean(first(scope)), to_boolean(second(scope)))
        case tree.Binary(sign, left, right):
            first, second, compute = compile_expression(left), compile_expression(right), OPERATORS[sign]
            return lambda scope: compute(first(scope), second(scope))
        case tree.Case(value, branches, otherwise):
            wanted = compile_expression(value)
            compiled = [(compile_expression(when), compile_expression(then)) for when, then in branches]
            rest = compile_expression(otherwise) if otherwise is not None else lambda _: UNDEFINED
            return lambda scope: _chosen(scope, wanted(scope), compiled, rest)


def _compile_structure(expression: tree.ObjectOf | tree.ArrayOf | tree.Nested) -> Evaluate:
    match expression:
        case tree.ObjectOf(members):
            named = [(name, compile_expression(member)) for name, member in members]
            return lambda scope: {
                name: value for name, evaluate in named if (value := evaluate(scope)) is not UNDEFINED
            }
        case tree.ArrayOf(items):
            compiled = [compile_expression(each) for each in items]
            return lambda scope: [value for evaluate in compiled if (value := evaluate(scope)) is not UNDEFINED]
        case tree.Nested(selection, source, where):
            select, origin = compile_selection(selection), compile_expression(source)
            condition = compile_expression(where) if where is not None else lambda _: True
            return lambda scope: _nested(scope, origin(scope), select, condition)


def _nested(scope: Scope, source: Value, select: Evaluate, condition: Evaluate) -> Value:
    def one(element: Value) -> Value:
        inner = replace(scope, document=element)
        return select(inner) if to_boolean(condition(inner)) is True else UNDEFINED

    if isinstance(source, list):
        return [result for element in source if (result := one(element)) is not UNDEFINED]
    return one(source) if isinstance(source, dict) else UNDEFINED


def _chosen(scope: Scope, wanted: Value, branches: list[tuple[Evaluate, Evaluate]], otherwise: Evaluate) -> Value:
    if wanted is UNDEFINED:
        return UNDEFINED
    for when, then in branches:
        if same(wanted, when(scope)) is True:
            return then(scope)
    return otherwise(scope)


def _negated(value: bool | Undefined) -> Value:
    return UNDEFINED if isinstance(value, Undefined) else not value


def _both(left: bool | Undefined, right: bool | Undefined) -> Value:
    if left is False or right is False:
        return False
    return UNDEFINED if isinstance(left, Undefined) or isinstance(right, Undefined) else True


def _either(left: bool | Undefined, right: bool | Undefined) -> Value:
    if left is True or right is True:
        return True
    return UNDEFINED if isinstance(left, Undefined) or isinstance(right, Undefined) else False


def _different(left: Value, right: Value) -> Value:
    return _negated(same(left, right))


def _ordered(compare: Callable[[Decimal | int, Decimal | int], bool]) -> Callable[[Value, Value], Value]:
    def call(left: Value, right: Value) -> Value:
        a, b = to_number(left), to_number(right)
        return UNDEFINED if isinstance(a, Undefined) or isinstance(b, Undefined) else compare(a, b)

    return call


def _plus(left: Value, right: Value) -> Value:
    if isinstance(left, str) or isinstance(right, str):
        a, b = to_text(left), to_text(right)
        if isinstance(a, Undefined) or isinstance(b, Undefined) or len(a) + len(b) > MAX_TEXT:
            return UNDEFINED
        return a + b
    if is_number(left) and is_number(right):
        return _arithmetic(left, right, lambda x, y: x + y, NUMBERS.add)
    return UNDEFINED


def _minus(left: Value, right: Value) -> Value:
    return _arithmetic(left, right, lambda x, y: x - y, NUMBERS.subtract)


def _times(left: Value, right: Value) -> Value:
    return _arithmetic(left, right, lambda x, y: x * y, NUMBERS.multiply)


def _divided(left: Value, right: Value) -> Value:
    if to_number(right) == 0:
        return UNDEFINED
    return _arithmetic(
        left, right, lambda x, y: int((Decimal(x) / Decimal(y)).to_integral_value(ROUND_DOWN)), NUMBERS.divide
    )


def _arithmetic(
    left: Value,
    right: Value,
    on_ints: Callable[[int, int], int],
    on_decimals: Callable[[Decimal, Decimal], Decimal],
) -> Value:
    a, b = to_number(left), to_number(right)
    if isinstance(a, Undefined) or isinstance(b, Undefined):
        return UNDEFINED
    if isinstance(a, int) and isinstance(b, int):
        result = on_ints(a, b)
        return result if result.bit_length() <= MAX_BITS else UNDEFINED
    try:
        return whole_to_int(on_decimals(Decimal(a), Decimal(b)))
    except ArithmeticError:  # out of range
        return UNDEFINED


def _cast_text(value: Value) -> Value:
    return to_text(value)


def _cast_int(value: Value) -> Value:
    return int(value) if isinstance(value, bool) else to_int_down(value)


def _cast_decimal(value: Value) -> Value:
    return int(value) if isinstance(value, bool) else whole_to_int(to_number(value))


def _cast_boolean(value: Value) -> Value:
    return value != 0 if is_number(value) else to_boolean(value)


OPERATORS: Final[dict[str, Callable[[Value, Value], Value]]] = {
    "=": same,
    "<>": _different,
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
    "+": _plus,
    "-": _minus,
    "*": _times,
    "/": _divided,
    "%": remainder,
}
CASTS: Final[dict[str, Callable[[Value], Value]]] = {
    **dict.fromkeys(("string", "nvarchar", "text", "ntext", "varchar"), _cast_text),
    **dict.fromkeys(("int", "integer"), _cast_int),
    **dict.fromkeys(("double", "decimal"), _cast_decimal),
    **dict.fromkeys(("bool", "boolean"), _cast_boolean),
}
