"""Small changes to a solution, each of which the grader has to notice."""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from course.authoring.derive import solution
from course.grading.spec import Answer

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
NAMES = {
    "max": ("min", "sum", "mean"),
    "min": ("max", "sum", "mean"),
    "sum": ("mean", "max", "prod"),
    "mean": ("sum", "max"),
    "argmax": ("argmin",),
    "argmin": ("argmax",),
    "maximum": ("minimum",),
    "minimum": ("maximum",),
    "zeros": ("ones",),
    "ones": ("zeros",),
    "zeros_like": ("ones_like",),
    "ones_like": ("zeros_like",),
    "cos": ("sin",),
    "sin": ("cos",),
    "var": ("std",),
    "std": ("var",),
}


@dataclass(frozen=True)
class Mutant:
    """line: the changed statement as one line, or "without ..."; function: the changed answer."""

    line: str
    function: Answer


def mutants(function: Answer) -> list[Mutant]:
    """Every mutant of the function's solution, each once, in the order of its lines."""
    tree = ast.parse(solution(function))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    if ast.get_docstring(definition) is not None:
        del definition.body[0]
    definition.returns = None
    for argument in ast.walk(definition.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    scope = vars(inspect.getmodule(function))
    found: dict[str, Mutant] = {}
    for index, statement in _positions(tree):
        for change, line in _changes(_node(tree, index), statement):
            changed = copy.deepcopy(tree)
            changed = _Replace(_node(changed, index), change).visit(changed)
            text = ast.unparse(ast.fix_missing_locations(changed))
            if text != ast.unparse(tree) and text not in found:
                found[text] = Mutant(line, _compiled(text, function.__name__, scope))
    return list(found.values())


def _compiled(text: str, name: str, scope: dict[str, Any]) -> Answer:
    mutated = dict(scope)
    exec(compile(text, f"<mutant of {name}>", "exec"), mutated)
    return mutated[name]


def _node(tree: ast.AST, index: int) -> ast.AST:
    return list(ast.walk(tree))[index]


def _positions(tree: ast.Module) -> list[tuple[int, ast.stmt]]:
    """Each node's place in `ast.walk` and the innermost statement around it, line by line."""
    index = {id(node): i for i, node in enumerate(ast.walk(tree))}
    found: list[tuple[int, ast.stmt]] = []

    def visit(node: ast.AST, statement: ast.stmt) -> None:
        if isinstance(node, ast.stmt):
            statement = node
        found.append((index[id(node)], statement))
        for child in ast.iter_child_nodes(node):
            visit(child, statement)

    for statement in tree.body:
        visit(statement, statement)
    return found


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return copy.deepcopy(self.new) if node is self.old else self.generic_visit(node)


def _changes(node: ast.AST, statement: ast.stmt) -> Iterator[tuple[ast.AST, str]]:
    """What may stand in the node's place, and how the statement reads then."""
    if node is statement:
        if not isinstance(node, (ast.FunctionDef, ast.Pass)):
            yield ast.Pass(), f"without {_line(node)}"
        if isinstance(node, (ast.Return, ast.Assign, ast.AugAssign)) and node.value is not None:
            minus = copy.deepcopy(node)
            minus.value = ast.UnaryOp(ast.USub(), node.value)
            yield minus, _line(minus)
    for change in _expressions(node):
        changed = _Replace(node, change)
        # The statement is copied around the node, which has to stay the same object.
        yield change, _line(changed.visit(_around(statement, node)))


def _around(statement: ast.stmt, node: ast.AST) -> ast.AST:
    return copy.deepcopy(statement, {id(node): node})


def _line(statement: ast.AST) -> str:
    """A statement in one line; of a loop or a branch, its head."""
    return ast.unparse(ast.fix_missing_locations(statement)).splitlines()[0]


def _expressions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp(left, op, right):
            for other in OPERATORS.get(type(op), ()):
                yield ast.BinOp(left, other(), right)
            if not isinstance(op, (ast.Add, ast.Mult)):
                yield ast.BinOp(right, op, left)
            yield left
            yield right
        case ast.AugAssign(target, op, value):
            for other in OPERATORS.get(type(op), ()):
                yield ast.AugAssign(target, other(), value)
            yield ast.Assign([target], value, lineno=0)
        case ast.Compare(left, [op], [right]):
            for comparison in COMPARISONS.get(type(op), ()):
                yield ast.Compare(left, [comparison()], [right])
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield operand
        case ast.IfExp(test, body, orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Attribute(value, name, context):
            for other_name in NAMES.get(name, ()):
                yield ast.Attribute(value, other_name, context)
        case ast.Name(name, ast.Load()):
            for other_name in NAMES.get(name, ()):
                yield ast.Name(other_name, ast.Load())
        case ast.Slice():
            yield from _slices(node)
        case ast.Subscript(value, ast.Tuple(entries, context), outer) if len(entries) > 1:
            for swapped in _swapped(entries):
                yield ast.Subscript(value, ast.Tuple(swapped, context), outer)
        case ast.Call():
            yield from _calls(node)


def _by_one(node: ast.expr) -> Iterator[ast.expr]:
    yield ast.BinOp(node, ast.Add(), ast.Constant(1))
    yield ast.BinOp(node, ast.Sub(), ast.Constant(1))


def _slices(node: ast.Slice) -> Iterator[ast.Slice]:
    if node.lower is None:
        yield ast.Slice(ast.Constant(1), node.upper, node.step)
    elif not isinstance(node.lower, ast.Constant):
        yield from (ast.Slice(lower, node.upper, node.step) for lower in _by_one(node.lower))
    if node.upper is None:
        yield ast.Slice(node.lower, ast.UnaryOp(ast.USub(), ast.Constant(1)), node.step)
    elif not isinstance(node.upper, ast.Constant):
        yield from (ast.Slice(node.lower, upper, node.step) for upper in _by_one(node.upper))


def _swapped(entries: list[ast.expr]) -> Iterator[list[ast.expr]]:
    """The entries with each two neighbours swapped."""
    for i in range(len(entries) - 1):
        yield [*entries[:i], entries[i + 1], entries[i], *entries[i + 2 :]]


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    """Arguments swapped, keywords dropped, a range one off, the call itself left out."""
    for entries in _swapped(node.args):
        yield ast.Call(node.func, entries, node.keywords)
    for keyword in node.keywords:
        rest = [k for k in node.keywords if k is not keyword]
        yield ast.Call(node.func, node.args, rest)
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in ("range", "arange") and node.args:
        for end in _by_one(node.args[-1]):
            yield ast.Call(node.func, [*node.args[:-1], end], node.keywords)
    if len(node.args) == 1:
        yield node.args[0]  # np.abs(g) becomes g
    elif not node.args and isinstance(node.func, ast.Attribute):
        yield node.func.value  # g.sum() becomes g
    if isinstance(node.func, ast.Attribute) and node.keywords and not node.args:
        yield ast.Call(node.func, [], [])
