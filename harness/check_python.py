#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Check Python files: they compile, are documented and have type hints."""

from __future__ import annotations

import ast
import pathlib
import sys
from collections.abc import Iterator

import lib

LONGEST = 80

Function = ast.FunctionDef | ast.AsyncFunctionDef


def parameters(function: Function) -> list[ast.arg]:
    """A function's parameters, without self, cls, and those named _."""
    args = function.args
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    if args.vararg:
        named.append(args.vararg)
    return [arg for arg in named if arg.arg not in ("self", "cls", "_")]


def function_faults(function: Function, inner: bool) -> Iterator[str]:
    """What a function lacks; one inside another needs no docstring."""
    where = f"line {function.lineno}: {function.name}()"
    if not inner and not ast.get_docstring(function):
        yield f"{where} has no docstring"
    if function.returns is None:
        yield f"{where} has no return type"
    for arg in parameters(function):
        if arg.annotation is None:
            yield f"{where}: no type for {arg.arg}"
    assert function.end_lineno
    length = function.end_lineno - function.lineno + 1
    if length > LONGEST:
        yield f"{where} has {length} lines"


def walk(node: ast.AST, inner: bool = False) -> Iterator[str]:
    """What all classes and functions under a node lack."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield from function_faults(child, inner)
            yield from walk(child, True)
            continue
        if isinstance(child, ast.ClassDef) and not ast.get_docstring(child):
            yield f"line {child.lineno}: class {child.name} has no docstring"
        yield from walk(child, inner)


def file_faults(path: pathlib.Path) -> list[str]:
    """All that is wrong with one file."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
        compile(tree, str(path), "exec")
    except SyntaxError as error:
        return [f"line {error.lineno}: {error.msg}"]
    missing = [] if ast.get_docstring(tree) else ["no docstring"]
    return [*missing, *walk(tree)]


def program() -> int:
    """The command line: the files to check."""
    tally = lib.Tally()
    for name in sys.argv[1:]:
        tally.judge(f"python: {name}", file_faults(pathlib.Path(name)))
    return tally.summary()


if __name__ == "__main__":
    lib.main(program)
