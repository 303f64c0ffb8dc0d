"""The functions of `torch.nn.init`: how a mode hears of their calls, and which initialiser each one is."""

from __future__ import annotations

import collections
import inspect
import itertools
import math
import threading
import types
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import init as torch_init

__all__ = [
    "CAUGHT",
    "CONSTANT",
    "FUNCTIONS",
    "MATRIX",
    "bound",
    "catch",
    "free",
    "initialiser",
    "method_initialiser",
]

# A call of one of these functions reaches a TorchFunctionMode as one call, or not at all:
#
# - uniform_, normal_, constant_ and kaiming_uniform_ ask torch.overrides whether a mode is active, and give
#   it the call. The others do not: a mode sees the operations of their bodies, from which no orthogonal
#   matrix can be told.
# - Programs hold references: `from torch.nn.init import trunc_normal_`, the table of
#   transformers.initialization. Replacing the attributes of torch.nn.init misses references.
# - transformers itself replaces these attributes while it initialises. kaiming_uniform_ then finds its
#   replacement under its own name, and gives the mode a function that the mode does not know.
# - The private helpers of some functions (_no_grad_trunc_normal_) could be replaced, and references would
#   still meet them; but orthogonal_ and sparse_ have no helper.
#
# So each function object gets other code while a block is active. The new code gives the call, with the
# function object as it was first found, to the block of the calling thread. The old code runs in a copy of
# the function where no block takes the call. The code is one for the process, but threads without a block get
# what they had.
CAUGHT = (
    "uniform_",
    "normal_",
    "trunc_normal_",
    "constant_",
    "ones_",
    "zeros_",
    "eye_",
    "dirac_",
    "xavier_uniform_",
    "xavier_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "orthogonal_",
    "sparse_",
)

# Functions that draw nothing. PyTorch itself answers them, with the same bits everywhere.
CONSTANT = frozenset({"constant_", "ones_", "zeros_", "eye_", "dirac_"})

# Functions of a whole matrix: an element depends on the shape of what the function was called with.
MATRIX = frozenset({"orthogonal_", "sparse_", "eye_", "dirac_"})

_lock = threading.Lock()
# The blocks that are active, in all threads.
_active: set[object] = set()


def _is_own(name: str, function: object) -> bool:
    """Whether this is PyTorch's own function, and not one that somebody has put in its place."""
    own = isinstance(function, types.FunctionType) and function.__globals__ is vars(torch_init)
    return own and function.__name__ == name


FUNCTIONS: dict[str, types.FunctionType] = {
    name: getattr(torch_init, name) for name in CAUGHT if _is_own(name, getattr(torch_init, name, None))
}


def check() -> None:
    """RuntimeError: a function was replaced before this module was imported, so it can't be caught."""
    missing = [name for name in CAUGHT if name not in FUNCTIONS]
    if missing:
        raise RuntimeError(
            f"torch.nn.init.{missing[0]} is not PyTorch's own function but "
            f"{getattr(torch_init, missing[0], None)!r}: "
            "import seedbed.torch before the functions of torch.nn.init are replaced"
        )


def _copy(function: types.FunctionType) -> types.FunctionType:
    copy = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


_copies = {name: _copy(function) for name, function in FUNCTIONS.items()}
_signatures = {FUNCTIONS[name]: inspect.signature(copy) for name, copy in _copies.items()}


def call(name: str, args: tuple, kwargs: dict[str, Any]) -> Any:
    """A call of the function `name`, while its code is swapped."""
    modes = torch.overrides._get_current_function_mode_stack()
    if any(getattr(mode, "hears_torch_init", False) for mode in modes):
        tensor = args[0] if args else kwargs.get("tensor")
        return torch.overrides.handle_torch_function(FUNCTIONS[name], (tensor,), *args, **kwargs)
    return _copies[name](*args, **kwargs)


def _swapped_code(name: str) -> types.CodeType:
    # The code runs with the globals of torch.nn.init, and code with free variables can't be swapped in.
    source = (
        f"def {name}(*args, **kwargs):\n"
        "    from seedbed.torch._functions import call\n"
        f"    return call({name!r}, args, kwargs)\n"
    )
    scope: dict[str, Any] = {}
    exec(compile(source, __file__, "exec"), scope)
    return scope[name].__code__


_codes = {name: _swapped_code(name) for name in FUNCTIONS}


_own_codes = {name: function.__code__ for name, function in FUNCTIONS.items()}


def _swap(codes: dict[str, types.CodeType]) -> None:
    # One call: Python raises KeyboardInterrupt between instructions, and a loop would leave half of the functions.
    collections.deque(
        map(setattr, FUNCTIONS.values(), itertools.repeat("__code__"), codes.values()), maxlen=0
    )


def catch(block: object) -> None:
    """Swaps the code of the functions, until `free` is called for the same object. Blocks may be in several threads."""
    with _lock:
        _active.add(block)
        _swap(_codes)


def free(block: object) -> None:
    """Ends a `catch`, which an interrupt may have ended before it was complete."""
    with _lock:
        _active.discard(block)
        if not _active:
            _swap(_own_codes)


def bound(function: Callable, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, with the function's defaults. TypeError, as a call raises it."""
    arguments = _signatures[function].bind(*args, **kwargs)
    arguments.apply_defaults()
    return dict(arguments.arguments)


def _number(value: Any) -> str:
    # repr of a float reads back as the same f64; a 0-d tensor and NumPy's scalars become floats.
    return repr(float(value))


def initialiser(name: str, arguments: dict[str, Any], fans: tuple[int, ...] | None) -> str:
    """The text of the initialiser that a function of torch.nn.init is.

    `fans` is the shape that PyTorch counts fans of, where it is not that of the named tensor: the scale is
    then computed here, in f64 and in the library's order of operations, which is PyTorch's.
    """
    match name:
        case "uniform_":
            return _uniform(arguments["a"], arguments["b"])
        case "normal_":
            return _normal(arguments["mean"], arguments["std"])
        case "trunc_normal_":
            mean, std, a, b = (_number(arguments[key]) for key in ("mean", "std", "a", "b"))
            return f"trunc_normal(mean={mean},std={std},a={a},b={b})"
        case "xavier_uniform_" | "xavier_normal_":
            if fans is None:
                return f"{name[:-1]}(gain={_number(arguments['gain'])})"
            fan_in, fan_out = _fans(fans)
            std = float(arguments["gain"]) * math.sqrt(2.0 / float(fan_in + fan_out))
            return _scaled(name, std)
        case "kaiming_uniform_" | "kaiming_normal_":
            a, mode, nonlinearity = arguments["a"], arguments["mode"].lower(), arguments["nonlinearity"]
            # PyTorch checks the arguments here, with its own messages.
            gain = torch_init.calculate_gain(nonlinearity, a)
            if mode not in ("fan_in", "fan_out"):
                raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
            if fans is None:
                a = a if nonlinearity == "leaky_relu" else 0
                a = 0.01 if a is None else a
                return f"{name[:-1]}(a={_number(a)},mode={mode},nonlinearity={nonlinearity})"
            fan_in, fan_out = _fans(fans)
            return _scaled(name, gain / math.sqrt(fan_in if mode == "fan_in" else fan_out))
        case "orthogonal_":
            return f"orthogonal(gain={_number(arguments['gain'])})"
        case "sparse_":
            return f"sparse(sparsity={_number(arguments['sparsity'])},std={_number(arguments['std'])})"
        case "eye_":
            return "eye()"
        case "dirac_":
            return f"dirac(groups={int(arguments['groups'])})"
    raise AssertionError(name)


def method_initialiser(name: str, args: tuple, kwargs: dict[str, Any]) -> str:
    """The text of the initialiser that an in-place method of a tensor is; `args` are without the tensor."""
    defaults = {"uniform_": ("from", 0.0, "to", 1.0), "normal_": ("mean", 0.0, "std", 1.0)}
    first, low, second, high = defaults.get(name, ("mean", 1.0, "std", 2.0))
    values = dict(zip((first, second), args))
    values |= {key: value for key, value in kwargs.items() if key != "generator"}
    low, high = values.pop(first, low), values.pop(second, high)
    if values or len(args) > 2:
        raise TypeError(f"{name} got unexpected arguments: {args} {kwargs}")
    if name == "uniform_":
        return _uniform(low, high)
    if name == "normal_":
        return _normal(low, high)
    return f"log_normal(mean={_number(low)},std={_number(high)})"


def _uniform(low: Any, high: Any) -> str:
    return f"uniform(a={_number(low)},b={_number(high)})"


def _normal(mean: Any, std: Any) -> str:
    return f"normal(mean={_number(mean)},std={_number(std)})"


def _scaled(name: str, std: float) -> str:
    if name.endswith("normal_"):
        return _normal(0.0, std)
    bound = math.sqrt(3.0) * std
    return _uniform(-bound, bound)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    # PyTorch's own function reads the shape of a tensor; one on meta has a shape and no memory.
    return torch_init._calculate_fan_in_and_fan_out(torch.empty(shape, device="meta"))
