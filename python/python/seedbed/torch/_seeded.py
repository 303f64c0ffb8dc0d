"""`seeded`: a model's own initialisation, with values from the streams of the parameters' names."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from seedbed import Init, Key, Region
from seedbed import fill as fill_host
from seedbed._fill import write
from seedbed._native import Filler
from seedbed.torch import _functions
from seedbed.torch._local import Held, held, is_dtensor
from seedbed.torch._names import strip
from seedbed.torch._parts import FLOATS, Part, fill_part, made_as
from seedbed.torch._views import Block, View, block_of, view_of

__all__ = ["UnseededWarning", "seeded"]


class UnseededWarning(UserWarning):
    """PyTorch's generator drew values inside a block of `seeded`, for a tensor that is not in the model."""


# In-place methods whose distribution seedbed has.
_DRAWN = {
    torch.Tensor.uniform_: "uniform_",
    torch.Tensor.normal_: "normal_",
    torch.Tensor.log_normal_: "log_normal_",
}

# In-place methods whose distribution seedbed does not have.
_REFUSED = {
    getattr(torch.Tensor, name): name
    for name in ("exponential_", "cauchy_", "geometric_", "bernoulli_", "random_")
}

# In-place methods that draw nothing.
_CONSTANT = {
    torch.Tensor.fill_: "fill_",
    torch.fill_: "fill_",
    torch.Tensor.zero_: "zero_",
    torch.zero_: "zero_",
}

# Functions that make new tensors of random elements.
_MADE = {
    getattr(torch, name): name
    for name in (
        "rand",
        "rand_like",
        "randn",
        "randn_like",
        "randint",
        "randint_like",
        "randperm",
        "normal",
        "bernoulli",
        "multinomial",
        "poisson",
    )
}

_TEXTS = {"zero_": "zeros()", "zeros_": "zeros()", "ones_": "ones()", "eye_": "eye()", "dirac_": "dirac()"}

_OF_INIT = {function: name for name, function in _functions.FUNCTIONS.items()}

_WATCHED = {*_OF_INIT, *_DRAWN, *_REFUSED, *_CONSTANT, *_MADE, torch.Tensor.__setitem__}


class seeded(TorchFunctionMode):  # A context manager, named as torch.no_grad is.
    """Initialises a model by its own code, with the same values on every device and every mesh.

    Inside the block, `torch.nn.init`'s functions and the in-place methods `normal_`, `uniform_` and
    `log_normal_` of the model's parameters and buffers, and of views into them, take their values from the
    stream of the parameter's name: `Key(seed).named(name)`. Everything else stays as it is:

    >>> import torch, seedbed, seedbed.torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> def init_weights(module):
    ...     if isinstance(module, torch.nn.Linear):
    ...         torch.nn.init.xavier_normal_(module.weight)
    ...         torch.nn.init.zeros_(module.bias)
    >>> with seedbed.torch.seeded(model, 42):
    ...     _ = model.apply(init_weights)
    >>> whole = seedbed.fill(torch.empty(8, 4), "xavier_normal()", seedbed.Key(42).named("0.weight"))
    >>> torch.equal(model[0].weight, whole)
    True

    The values are those of `seedbed.fill` with the initialiser of the same name and arguments, bit for bit.
    So an initialisation is a function of the seed, the name, the initialiser and the element's index, and of
    nothing else:

    - A second initialisation of a parameter gives the same values. `a.normal_(); b = a.clone(); a.normal_()`
      makes `a` and `b` equal. A `generator=` is not used, and no generator moves on.
    - A view (`weight[:n]`, `weight.T`, `weight.data`, a chunk of a fused weight) gets what the whole tensor
      has at the view's elements. Fans are those of the view's shape, as in PyTorch.
    - `orthogonal_` and `sparse_` of a view make a matrix of the view's shape, from the stream of the name
      folded with the index of the view's first element.
    - A DTensor gets its part of the whole tensor, and fans are those of the whole tensor.
    - float64 is made as float32 and widened.
    - Tied parameters have the first of their names, in the order of `named_parameters`.
    - Names are those of the model without wrappers: `_orig_mod.` of torch.compile, `module.` of
      DistributedDataParallel, `_fsdp_wrapped_module.`, `_checkpoint_wrapped_module.`.

    What PyTorch's generator draws for other tensors inside the block is left to PyTorch, with one
    `UnseededWarning`: `torch.randn` and its like, tensors and modules that are made inside the block and are
    not registered in the model. `exponential_`, `cauchy_`, `geometric_`, `bernoulli_` and `random_` of a
    parameter are errors, and so is the initialisation of a parameter on the device meta.

    The model may change inside the block: names are looked up again when a tensor is unknown. `seed` is the
    seed of `seedbed init`, or a `seedbed.Key`. `rename` gives each name its name in the whole model, for a stage
    of a pipeline. `strip_prefix` lists prefixes that are then taken off the names, in any order and number.

    `with seeded(model, 42) as block` gives the block. `block.initialised` maps the name of each parameter and
    buffer that was initialised to the texts of its initialisers, in their order; those of views are among
    them.
    """

    # Whether a block is active, for the code that takes the place of the functions of torch.nn.init. After an
    # interrupt, PyTorch may put the mode back on its stack later than the block ends. No property: Dynamo traces this.
    hears_torch_init = False

    def __init__(
        self,
        model: nn.Module,
        seed: int | Key,
        *,
        strip_prefix: str | Iterable[str] = (),
        rename: Callable[[str], str] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise TypeError(f"seeded takes a torch.nn.Module, not a {type(model).__name__}")
        _functions.check()
        self._key = seed if isinstance(seed, Key) else Key(seed)
        self._named = _Named(model, strip_prefix, rename)
        # One for each time that the block is entered.
        self._blocks: list[object] = []
        self._warned = False
        self.initialised: dict[str, list[str]] = {}

    def __enter__(self) -> seeded:
        with _undisturbed():
            self._named.refresh()
        self._warned = False
        self.initialised = {}
        block = object()
        self._blocks.append(block)
        try:
            _functions.catch(block)
            self.hears_torch_init = True
            return super().__enter__()
        except BaseException:
            self._leave(block)
            raise

    def __exit__(self, *error: Any) -> None:
        block = self._blocks[-1]
        try:
            self._leave(block)
        except KeyboardInterrupt:
            self._leave(block)
            raise

    def _leave(self, block: object) -> None:
        """Ends the entry `block` of this mode. May be called again after an interrupt."""
        if block not in self._blocks:
            return
        outer = self._blocks.index(block)
        # PyTorch takes a mode off the stack for a call, and after an interrupt may not put the mode back.
        while torch.overrides._get_current_function_mode_stack().count(self) > outer:
            torch._C._pop_torch_function_stack()
        self.hears_torch_init = outer > 0
        _functions.free(block)
        self._named.forget()
        del self._blocks[outer:]

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function not in _WATCHED or not self.hears_torch_init:
            return function(*args, **kwargs)
        if function is torch.Tensor.__setitem__:
            return self._set_item(function, *args)
        if function in _MADE:
            self._warn(f"torch.{_MADE[function]}", "", kwargs, 3)
            return function(*args, **kwargs)
        call = _Call.of(function, args, kwargs)
        if call is None or (call.tensor.numel() == 0 and call.tensor.device.type != "meta"):
            return function(*args, **kwargs)
        with _undisturbed():
            found = self._named.find(call.tensor, call.is_constant)
        if found is None:
            if not call.is_constant and call.tensor.device.type != "meta":
                # Between the program and this method, a function of torch.nn.init has three calls more.
                self._warn(
                    call.name,
                    f" of the shape {tuple(call.tensor.shape)}",
                    call.arguments,
                    3 if call.is_method else 6,
                )
            return function(*args, **kwargs)
        if call.is_method and call.tensor.requires_grad and torch.is_grad_enabled():
            # PyTorch refuses to write into a leaf outside of no_grad, and says so in its own words.
            return function(*args, **kwargs)
        if call.is_constant:
            return self._constant(call, found)
        if function in _REFUSED:
            raise NotImplementedError(
                f"{found.name}: seedbed has no distribution for {call.name}; make the values from "
                "uniform_() or normal_() by arithmetic in place, or initialise the parameter before the block"
            )
        if call.tensor.dtype not in FLOATS:
            if call.tensor.dtype.is_floating_point or call.tensor.dtype.is_complex:
                raise ValueError(
                    f"{found.name}: {call.name} of {call.tensor.dtype} can't be seeded; seedbed makes "
                    "float32, float16, bfloat16 and float64"
                )
            # PyTorch has no such distribution of whole numbers either, and says so.
            return function(*args, **kwargs)
        with _undisturbed():
            self._draw(call, found)
        return call.tensor

    def _draw(self, call: _Call, found: _Found) -> None:
        """Fills the tensor from the stream of its name."""
        try:
            init = Init(call.initialiser(None if found.fans == found.shape else found.fans))
            key = self._key.named(found.name)
            if isinstance(found.view, Block) and found.view.here is None:
                # A process that holds no element refuses what the others refuse, or it would wait for them.
                shape = found.fans if call.name in _functions.MATRIX else found.shape
                dtype = str(made_as(call.tensor.dtype)).removeprefix("torch.")
                Filler(init, key).check(dtype, Region(list(shape)))
            if call.name in _functions.MATRIX:
                _fill_matrix(found, init, key)
            else:
                found.view.fill(_filler(init, key))
        except ValueError as error:
            raise ValueError(f"{found.name}: {error}") from None
        # PyTorch does not see the library's writes, and autograd checks saved tensors by their versions.
        torch.autograd.graph.increment_version(call.tensor)
        self._note(found, str(init))

    def _constant(self, call: _Call, found: _Found) -> Any:
        """Lets PyTorch write a constant: its bits are the same everywhere."""
        if call.name in _functions.MATRIX and found.is_distributed:
            # PyTorch would write the identity of the local shape.
            with _undisturbed():
                self._draw(call, found)
            return call.tensor
        value = call.value()
        if value is not None and isinstance(found.view, Block):
            # A DTensor's view may be a copy, into which PyTorch would write.
            with _undisturbed():
                found.view.set(_rounded(value, call.tensor.dtype))
            result = call.tensor
        elif call.name in ("constant_", "fill_") and value is not None:
            result = call.function(call.tensor, _rounded(value, call.tensor.dtype))
        else:
            result = call.function(*call.args, **call.kwargs)
        self._note(found, _TEXTS.get(call.name) or f"constant({value})")
        return result

    def _set_item(self, function: Callable, tensor: Any, index: Any, value: Any) -> None:
        """Answers `tensor[index] = value` of a DTensor, where PyTorch would write into a copy."""
        guarded = not is_dtensor(tensor) or (tensor.requires_grad and torch.is_grad_enabled())
        if guarded or not isinstance(value, (int, float)) or not _is_basic(index):
            return function(tensor, index, value)
        with _undisturbed():
            found = self._named.find_item(tensor, index)
            if found is None:
                return function(tensor, index, value)
            found.view.set(_rounded(value, tensor.dtype))
        self._note(found, f"constant({value})")

    def _note(self, found: _Found, text: str) -> None:
        self.initialised.setdefault(found.name, []).append(text)

    def _warn(self, name: str, what: str, kwargs: dict[str, Any], stacklevel: int) -> None:
        """Warns once that PyTorch's generator draws, unless a block around this one may know the tensor."""
        if self._warned or kwargs.get("generator") is not None:
            return
        modes = torch.overrides._get_current_function_mode_stack()
        if any(isinstance(mode, seeded) and mode.hears_torch_init for mode in modes):
            return
        self._warned = True
        warnings.warn(
            f"{name}{what} draws from PyTorch's generator, and not from the seed of seeded(): the tensor is "
            "no parameter or buffer of the model. Initialise the parameter itself in place, register the "
            "module before it is initialised, or pass a generator= of your own. The block warns once.",
            UnseededWarning,
            stacklevel=stacklevel,
        )


@dataclasses.dataclass(frozen=True)
class _Call:
    """A call that initialises a tensor: a function of torch.nn.init, or an in-place method."""

    function: Callable
    args: tuple
    kwargs: dict[str, Any]
    name: str
    tensor: torch.Tensor
    # The arguments by name; for a method, those that are given by name.
    arguments: dict[str, Any]
    is_method: bool

    @classmethod
    def of(cls, function: Callable, args: tuple, kwargs: dict[str, Any]) -> _Call | None:
        """None: the call is for no tensor, and PyTorch says what is wrong with the call."""
        name = _OF_INIT.get(function)
        if name is not None:
            arguments = _functions.bound(function, args, kwargs)
            tensor = arguments["tensor"]
        else:
            arguments = kwargs
            tensor = args[0] if args else kwargs.get("input")
        if not isinstance(tensor, torch.Tensor):
            return None
        return cls(function, args, kwargs, name or function.__name__, tensor, arguments, name is None)

    @property
    def is_constant(self) -> bool:
        return self.name in _functions.CONSTANT or self.function in _CONSTANT

    def initialiser(self, fans: tuple[int, ...] | None) -> str:
        if self.is_method:
            return _functions.method_initialiser(self.name, self.args[1:], self.kwargs)
        return _functions.initialiser(self.name, self.arguments, fans)

    def value(self) -> float | None:
        """The number that a constant is; None for the identity, and for the element of a tensor."""
        match self.name:
            case "zeros_" | "zero_":
                return 0
            case "ones_":
                return 1
            case "constant_":
                value = self.arguments["val"]
            case "fill_":
                value = self.args[1] if len(self.args) > 1 else self.kwargs.get("value")
            case _:
                return None
        if isinstance(value, torch.Tensor) and value.dim() == 0 and is_dtensor(self.tensor):
            value = value.item()
        return value if isinstance(value, (int, float)) else None


@dataclasses.dataclass(frozen=True)
class _Found:
    """The parameter or buffer that a tensor is, or is a view of."""

    name: str
    # The shape of the whole parameter, and the shape of which PyTorch counts fans.
    shape: tuple[int, ...]
    fans: tuple[int, ...]
    view: View | Block
    # Whether the tensor is a DTensor or the parameter is spread over processes.
    is_distributed: bool


class _Named:
    """The parameters and buffers of a model, by the memory in which they lie."""

    def __init__(
        self, model: nn.Module, strip_prefix: str | Iterable[str], rename: Callable[[str], str] | None
    ):
        self._model = model
        self._strip = (strip_prefix,) if isinstance(strip_prefix, str) else tuple(strip_prefix)
        self._rename = rename
        self.forget()

    def forget(self) -> None:
        """Lets go of the tensors."""
        self._by_id: dict[int, Held] = {}
        self._by_storage: dict[int, list[Held]] = {}
        # The tensors of which this process holds no element.
        self._empty: list[Held] = []
        self._seen: list[tuple[int, int]] = []

    def refresh(self) -> None:
        """Looks through the model anew. ValueError: two parameters have one name."""
        self.forget()
        self._seen = self._memory()
        names: dict[str, object] = {}
        # Parameters come before buffers, as in a list of both.
        items = sorted(held(self._model), key=lambda item: not item.is_parameter)
        known = set()
        for item in items:
            if item.identity in known:
                continue
            known.add(item.identity)
            item = item.named(self._stream(item.name))
            if item.name in names:
                raise ValueError(
                    f"two parameters have the name {item.name!r} without the prefixes of wrappers"
                )
            names[item.name] = item.identity
            if item.tensor is not None:
                self._by_id[id(item.tensor)] = item
            try:
                parts = item.parts()
            except ValueError:
                # The tensor can't be filled; a call that would do so finds it by its identity, or not at all.
                continue
            for part in parts:
                self._by_storage.setdefault(_storage(part.local), []).append(item)
            if not parts:
                self._empty.append(item)

    def find(self, tensor: torch.Tensor, constant: bool) -> _Found | None:
        """The parameter that a tensor is, or is a view of. ValueError: the tensor can't be filled."""
        found = self._find(tensor, constant)
        # A constant is the same under every name, so for an unknown tensor the model is not looked through again.
        if (
            found is None
            and (not constant or isinstance(tensor, nn.Parameter))
            and self._memory() != self._seen
        ):
            self.refresh()
            found = self._find(tensor, constant)
        return found

    def _memory(self) -> list[tuple[int, int]]:
        """Which tensors the model has, and where they lie; `refresh` depends on nothing else."""
        return [
            (id(tensor), _storage(getattr(tensor, "_local_tensor", tensor)))
            for module in self._model.modules()
            for tensor in (*module._parameters.values(), *module._buffers.values())
            if tensor is not None
        ]

    def _stream(self, name: str) -> str:
        if self._rename is not None:
            renamed = self._rename(name)
            if not isinstance(renamed, str):
                raise TypeError(f"rename({name!r}) gives a {type(renamed).__name__}, not a str")
            name = renamed
        # In the order of init_.
        return strip(name, self._strip)

    def _find(self, tensor: torch.Tensor, constant: bool) -> _Found | None:
        if tensor.device.type == "meta":
            item = self._by_id.get(id(tensor)) or self._by_id.get(id(tensor._base))
            if item is None:
                return None
            raise ValueError(
                f"{item.name}: the parameter is on the device meta: call to_empty(device=...) first"
            )
        if not is_dtensor(tensor):
            return self._lying_at(tensor, constant)
        base = tensor if tensor._base is None else tensor._base
        whole = self._whole(base, constant)
        if whole is None:
            # PyTorch does not tell the base of such a view of a view.
            return self._lying_at(tensor._local_tensor, constant)
        name, part = whole
        view = torch.empty(tuple(base.shape), device="meta")
        if base is not tensor:
            view = tensor._view_func_unsafe(view)
        return _found_block(name, base, view, part)

    def find_item(self, tensor: torch.Tensor, index: Any) -> _Found | None:
        """The block of a DTensor that `tensor[index]` names."""
        whole = self._whole(tensor, True)
        if whole is None:
            return None
        name, part = whole
        return _found_block(name, tensor, torch.empty(tuple(tensor.shape), device="meta")[index], part)

    def _whole(self, tensor: torch.Tensor, constant: bool) -> tuple[str, Part | None] | None:
        """The name of the parameter that all of a DTensor is, and what this process holds of it."""
        if not is_dtensor(tensor):
            return None
        shape = tuple(tensor.shape)
        if tensor._local_tensor.numel() == 0:
            # Memory without elements has no address.
            items = [item for item in self._empty if item.shape == shape]
            item = self._by_id.get(id(tensor)) or next(iter(items), None)
            return None if item is None else (item.name, None)
        found = self._lying_at(tensor._local_tensor, constant)
        if found is None or not found.view.is_whole or found.shape != shape:
            return None
        return found.name, found.view.part

    def _lying_at(self, tensor: torch.Tensor, constant: bool) -> _Found | None:
        """The parameter in whose memory a plain tensor lies."""
        storage = _storage(tensor)
        views = []
        for item in self._by_storage.get(storage, ()):
            for part in item.parts():
                # The parameter may have been given other memory since the model was looked through.
                if _storage(part.local) == storage:
                    view = _named_view(item, tensor, part)
                    if view is not None:
                        views.append((item, view))
        own = self._by_id.get(id(tensor))
        if not views and own is not None and not constant:
            # A subclass of Tensor hides its memory, and `own.parts()` raises the error. A device may show no
            # addresses: the parameter is found by its identity there, and views of the parameter are not found.
            views = [(own, view_of(part.local, part)) for part in own.parts() if not storage]
        if not views:
            return None
        # Parameters may share memory. A parameter that the view is all of goes first, then the smallest part, then
        # the first name.
        item, view = min(views, key=lambda entry: (not entry[1].is_whole, entry[1].part.where.size))
        is_all = view.is_whole and tensor.shape == view.part.local.shape
        distributed = view.part.where.size != math.prod(item.shape)
        return _Found(item.name, item.shape, item.shape if is_all else tuple(tensor.shape), view, distributed)


def _found_block(name: str, tensor: torch.Tensor, view: torch.Tensor, part: Part | None) -> _Found:
    shape = tuple(tensor.shape)
    try:
        block = block_of(view, shape, part)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return _Found(name, shape, block.shape, block, True)


def _named_view(item: Held, local: torch.Tensor, part: Part) -> View | None:
    try:
        return view_of(local, part)
    except ValueError as error:
        raise ValueError(f"{item.name}: {error}") from None


def _fill_matrix(found: _Found, init: Init, key: Key) -> None:
    """Fills a tensor whose elements depend on all of the matrix."""
    view = found.view
    # PyTorch flattens all dimensions but the first, so the whole tensor may have been reshaped.
    reshaped = "orthogonal" in str(init) and found.fans[:1] == found.shape[:1]
    if view.is_whole and (found.fans == found.shape or reshaped):
        part = view.part
    else:
        part, key = view.matrix(), key.fold_in(view.offset)
    if part is not None:
        fill_part(part, _filler(init, key), whole=True)


def _filler(init: Init, key: Key) -> Callable[[torch.Tensor, Region], object]:
    # One filler makes all pieces of a tensor, because a truncated normal's table takes time.
    filler = Filler(init, key)
    return lambda x, region: write(x, filler, region)


def _rounded(value: float, dtype: torch.dtype) -> float:
    """The value of the element type that is nearest to the value. PyTorch rounds an f64 by way of f32."""
    if dtype not in (torch.float16, torch.bfloat16) or not math.isfinite(value):
        return value
    with _undisturbed():
        element = torch.empty(1, dtype=dtype, device="cpu")
        try:
            fill_host(element, f"constant({float(value)!r})", Key(0))
        except ValueError:
            # Too large for the element type: PyTorch says so.
            return value
        return element.item()


def _storage(tensor: torch.Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError, ValueError):
        # Sparse layouts and wrappers have no memory of their own, and lazy parameters have none yet.
        return 0


def _is_basic(index: Any) -> bool:
    """Whether an index makes a view, and no copy."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, slice) or type(part) is int for part in parts
    )


@contextlib.contextmanager
def _undisturbed():
    """No mode hears of the library's own calls, and autograd does not record them."""
    with torch._C.DisableTorchFunction(), torch.no_grad():
        yield
