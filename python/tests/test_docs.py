"""The examples of docstrings, and the declarations for type checkers."""

import ast
import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import seedbed
from seedbed import _native

PACKAGE = Path(seedbed.__file__).parent


@pytest.mark.parametrize("name", ["seedbed", "seedbed._fill", "seedbed._memory"])
def test_examples_of_modules(name):
    result = doctest.testmod(importlib.import_module(name), verbose=False)
    assert result.failed == 0


def test_examples_of_native_classes():
    finder, runner, attempted = doctest.DocTestFinder(), doctest.DocTestRunner(), 0
    for name in ["Key", "Init", "Region", "Plan", "Filler"]:
        for test in finder.find(getattr(_native, name), name, globs={}):
            assert runner.run(test).failed == 0, test.name
            attempted += len(test.examples)
    assert attempted >= 8


def test_declarations_name_what_there_is():
    """_native.pyi has the classes, the members and the parameters of the native half, and no other."""
    tree = ast.parse((PACKAGE / "_native.pyi").read_text())
    declared = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    classes = {name: x for name, x in vars(_native).items() if inspect.isclass(x)}
    assert declared.keys() == classes.keys()
    for name, node in declared.items():
        members = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
        public = {n for n in vars(classes[name]) if not n.startswith("_")}
        assert {n for n in members if not n.startswith("_")} == public, name
        for member, function in members.items():
            decorators = [d.id for d in function.decorator_list if isinstance(d, ast.Name)]
            if "property" in decorators or member.startswith("_"):
                continue
            signature = inspect.signature(getattr(classes[name], member))
            parameters = [
                a.arg for a in function.args.posonlyargs + function.args.args + function.args.kwonlyargs
            ]
            assert [p for p in parameters if p != "self"] == [
                p for p in signature.parameters if p != "self"
            ], member
    constants = {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
    assert constants == {name for name in vars(_native) if name.isupper()}


def test_a_program_that_uses_types_is_checked(tmp_path):
    api = pytest.importorskip("mypy.api")
    sample = tmp_path / "sample.py"
    sample.write_text(
        """
import numpy as np
import seedbed
from seedbed import Init, Key, Region, fill

key: Key = Key(42).named("w").fold_in(3)
keys: list[Key] = key.split(4)
init: Init = Init("normal", fans=(3, 4))
region: Region = Region([4, 6]).shard((0, 0), (2, 6)).cut([0, 0], [1, 6])
shape: tuple[int, ...] = region.local_shape
x = fill(np.empty((1, 6), np.float32), init, key, region=region)
reveal_type(x)
y: bytearray = fill(bytearray(8), "ones", key, dtype="float32")
version: str = seedbed.__version__
"""
    )
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import seedbed\nseedbed.fill(bytearray(8), 'ones', 42)\nseedbed.Key('a')\n")
    arguments = ["--strict", "--cache-dir", str(tmp_path / "cache")]
    output, _, status = api.run([*arguments, str(sample)])
    assert status == 0, output
    assert "ndarray" in output
    output, _, status = api.run([*arguments, str(wrong)])
    assert status == 1 and output.count("arg-type") == 2, output
