"""The parts of logical tensors that lie in this process's memory.

A plain tensor is whole. A DTensor's local tensor is the outer product of index ranges, one list of ranges per
dimension. FSDP1's flat parameter holds an interval of the row-major elements of each original parameter.
`parts` lists the parts of one tensor, and `held` lists all parameters and buffers of a module.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Callable, Sequence

import torch
from torch import nn

from seedbed._memory import span
from seedbed.torch._names import clean, named_modules
from seedbed.torch._parts import Grid, Part, Run, Span, narrowed

__all__ = ["Held", "held", "is_dtensor", "parts"]


@dataclasses.dataclass(frozen=True)
class Held:
    """A parameter or buffer of a module, by one of its names.

    A tied parameter is in the list once for each of its names; `identity` is the same for all of them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    identity: object
    is_parameter: bool
    # Whether the state dict has the tensor.
    is_persistent: bool
    # None where FSDP1 holds the tensor in a flat parameter.
    tensor: torch.Tensor | None
    _parts: Callable[[], list[Part]]

    def named(self, name: str) -> Held:
        """The same tensor under another name."""
        return dataclasses.replace(self, name=name)

    def parts(self) -> list[Part]:
        """What this process holds. ValueError: a tensor that can't be written, with its name."""
        try:
            return self._parts()
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None


def parts(tensor: torch.Tensor) -> list[Part]:
    """The parts of the logical tensor that this process holds; none where it holds no element.

    ValueError: a tensor that can't be written, or whose place in the logical tensor is not known.
    """
    if isinstance(tensor, nn.parameter.UninitializedTensorMixin):
        raise ValueError(
            "the lazy module has no shape yet: run it once on an example before it is initialised"
        )
    if getattr(tensor, "_is_flat_param", False):
        raise ValueError(
            "this is FSDP1's flat parameter, which holds parts of several parameters: give the model to "
            "seedbed.torch.init_"
        )
    if getattr(tensor, "_fsdp_flattened", False):
        raise ValueError(
            "the parameter is a part of FSDP1's flat parameter, and only the FSDP module knows which: give the "
            "model to seedbed.torch.init_"
        )
    if is_dtensor(tensor):
        return _dtensor_parts(tensor)
    _check_plain(tensor)
    return _part(Grid.whole(tensor.shape), tensor.detach())


def held(module: nn.Module) -> list[Held]:
    """All parameters and buffers of the module, in the order of its state dict, tied ones by each name.

    The names are without the prefixes of wrappers; FSDP1's flat parameters are taken apart.
    """
    _reshard(module)
    flat = _fsdp1(module)
    found: list[Held] = []
    # A module that stands in two places has all its names here, as in a state dict.
    for prefix, child in named_modules(module):
        prefix = prefix + "." if prefix else ""
        for name, parameter in child._parameters.items():
            if parameter is None:
                continue
            if getattr(parameter, "_is_flat_param", False):
                found += flat.originals(prefix, parameter)
            else:
                found.append(
                    flat.held(prefix + name, parameter) or _held(prefix + name, parameter, True, True)
                )
        for name, buffer in child._buffers.items():
            if buffer is not None:
                persistent = name not in child._non_persistent_buffers_set
                found.append(_held(prefix + name, buffer, False, persistent))
    return found


def _held(name: str, tensor: torch.Tensor, is_parameter: bool, is_persistent: bool) -> Held:
    lazy = isinstance(tensor, nn.parameter.UninitializedTensorMixin)
    # DeepSpeed ZeRO-3 leaves an empty tensor, and writes the shape beside it.
    shape = () if lazy else tuple(getattr(tensor, "ds_shape", tensor.shape))
    return Held(
        name, shape, tensor.dtype, id(tensor), is_parameter, is_persistent, tensor, lambda: parts(tensor)
    )


def _part(where: Grid | Run, local: torch.Tensor) -> list[Part]:
    if tuple(local.shape) != where.local_shape:
        raise ValueError(f"the local tensor has the shape {tuple(local.shape)}, not {where.local_shape}")
    return [Part(where, local)] if where.size else []


def _check_plain(tensor: torch.Tensor) -> None:
    """Refuses a tensor that is not strided memory of its own elements."""
    # A subclass may keep its elements packed, scaled or nowhere, so isinstance is not enough.
    if type(tensor) not in (torch.Tensor, nn.Parameter):
        kind = f"{type(tensor).__module__}.{type(tensor).__qualname__}"
        raise ValueError(
            f"the tensor is a {kind}, whose memory seedbed does not know; initialise before it is quantised or "
            "wrapped"
        )
    if tensor.is_nested:
        raise ValueError("the tensor is nested; only dense (torch.strided) tensors are filled")
    if tuple(getattr(tensor, "ds_shape", tensor.shape)) != tuple(tensor.shape):
        raise ValueError(
            "DeepSpeed ZeRO-3 has partitioned the parameter in a way of its own: initialise inside "
            "deepspeed.zero.GatheredParameters, or load a checkpoint of the program"
        )
    if tensor.is_quantized:
        raise ValueError("the tensor is quantised: initialise before the model is quantised")
    if tensor.layout != torch.strided:
        raise ValueError(
            f"the tensor's layout is {tensor.layout}; only dense (torch.strided) tensors are filled"
        )
    if tensor.device.type == "meta":
        raise ValueError(
            "the tensor is on the device meta and has no memory: call to_empty(device=...) first"
        )
    # The element that is written last would be the value of both.
    span(tuple(tensor.shape), tensor.stride(), 1)


def _spans(indices: Sequence[int]) -> tuple[Span, ...]:
    """The spans that list these indices in their order."""
    spans: list[Span] = []
    for index in indices:
        if spans and spans[-1][1] == index:
            spans[-1] = (spans[-1][0], index + 1)
        else:
            spans.append((index, index + 1))
    return tuple(spans) or ((0, 0),)


# DTensor, and FSDP2 (torch.distributed.fsdp.fully_shard), whose parameters are DTensors


def _reshard(module: nn.Module) -> None:
    """Makes FSDP2 drop the parameters that a forward pass has gathered, so that the modules have the shards again."""
    package = sys.modules.get("torch.distributed.fsdp")
    fsdp2 = getattr(package, "FSDPModule", None)
    if fsdp2 is None:
        return
    for child in module.modules():
        if isinstance(child, fsdp2):
            child.reshard()


def is_dtensor(tensor: torch.Tensor) -> bool:
    # Nobody has a DTensor before the module is imported, and the import takes a second.
    dtensor = getattr(sys.modules.get("torch.distributed.tensor"), "DTensor", None)
    return dtensor is not None and isinstance(tensor, dtensor)


def _dtensor_parts(tensor: torch.Tensor) -> list[Part]:
    local = tensor._local_tensor.detach()
    _check_plain(local)
    coordinate = tensor.device_mesh.get_coordinate()
    if coordinate is None:
        # The process is not in the mesh, and holds an empty tensor.
        return []
    grid = _placed(tuple(tensor.shape), tuple(tensor.device_mesh.shape), coordinate, tensor.placements)
    if grid.local_shape != tuple(local.shape) and not (grid.size == 0 and local.numel() == 0):
        raise ValueError(
            f"the placements {tensor.placements} of the shape {tuple(tensor.shape)} give this process the local "
            f"shape {grid.local_shape}, but the DTensor's local tensor has the shape {tuple(local.shape)}"
        )
    return _part(grid, local) if grid.size else []


def _placed(
    shape: tuple[int, ...], mesh: Sequence[int], coordinate: Sequence[int], placements: Sequence
) -> Grid:
    """What the process at this coordinate of the mesh holds. Placements apply from left to right."""
    from torch.distributed.tensor.placement_types import Partial, Replicate, Shard, _StridedShard

    axes: list[Sequence[Span]] = list(Grid.whole(shape).axes)
    for number, placement in enumerate(placements):
        if isinstance(placement, Replicate):
            continue
        if isinstance(placement, Partial):
            raise ValueError(
                f"the DTensor's placement {placement} is a sum that is still to be taken over the mesh, so no "
                "process holds an element: redistribute it first"
            )
        strided = isinstance(placement, _StridedShard)
        if not strided and type(placement) is not Shard:
            raise ValueError(f"the DTensor's placement {placement!r} is unknown to seedbed")
        dim = placement.dim % max(1, len(shape))
        if dim >= len(shape):
            raise ValueError(
                f"the DTensor's placement {placement!r} is of a dimension that {shape} does not have"
            )
        count = sum(stop - start for start, stop in axes[dim])
        chunks, index = mesh[number], coordinate[number]
        if strided:
            # The placement's own method says which indices it takes: they interleave.
            order = torch.arange(count, device="cpu").view([1] * dim + [count])
            pieces, _ = placement._split_tensor(order, chunks, with_padding=False, contiguous=False)
            taken = _spans(pieces[index].reshape(-1).tolist())
            axes[dim] = tuple(itertools.chain(*(narrowed(axes[dim], *span) for span in taken)))
        else:
            # torch.chunk's sizes; the last chunks may be short or empty.
            chunk = -(-count // chunks)
            axes[dim] = narrowed(axes[dim], min(count, chunk * index), min(count, chunk * (index + 1)))
        axes[dim] = _joined(axes[dim])
    return Grid(shape, tuple(axes))


def _joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The same indices in as few spans as possible."""
    joined: list[Span] = []
    for start, stop in spans:
        if start == stop:
            continue
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined) or ((0, 0),)


# FSDP1 (torch.distributed.fsdp.FullyShardedDataParallel)


class _Fsdp1:
    """The flat parameters of a module's FSDP1 units.

    PyTorch keeps the layout of a flat parameter in the attributes of the flat parameter.
    FlatParamHandle.shard_metadata is not enough, because it does not say where in the shard a parameter lies.
    """

    def __init__(self, handles: Sequence) -> None:
        self.handles = handles
        # id(original parameter) -> its handle and number, where use_orig_params=True registers originals.
        self.places: dict[int, tuple[object, int]] = {}
        self.tied: dict[int, int] = {}
        for handle in handles:
            flat = handle.flat_param
            for number, parameter in enumerate(flat._params or ()):
                self.places[id(parameter)] = (handle, number)
            for parameter, info in zip(flat._shared_params or (), flat._shared_param_infos, strict=False):
                first = (info.prim_param_name, info.prim_module)
                for number, other in enumerate(flat._param_infos):
                    if (other.param_name, other.module) == first:
                        self.places[id(parameter)] = (handle, number)

    def held(self, name: str, parameter: torch.Tensor) -> Held | None:
        """The original parameter that a parameter of use_orig_params=True stands for."""
        handle, number = self.places.get(id(parameter), (None, 0))
        return handle and self._original(name, handle, number)

    def originals(self, prefix: str, flat: torch.Tensor) -> list[Held]:
        """The original parameters of a flat parameter that is registered itself, with use_orig_params=False."""
        for handle in self.handles:
            if handle.flat_param is flat:
                break
        else:
            raise ValueError(
                f"{prefix}_flat_param belongs to no FullyShardedDataParallel module of this model"
            )
        infos = enumerate(flat._param_infos)
        found = [self._original(prefix + _dotted(info), handle, number) for number, info in infos]
        for info in flat._shared_param_infos:
            for number, other in enumerate(flat._param_infos):
                if (other.param_name, other.module) == (info.prim_param_name, info.prim_module):
                    found.append(self._original(prefix + _dotted(info), handle, number))
        return found

    def _original(self, name: str, handle, number: int) -> Held:
        flat = handle.flat_param
        shape = tuple(flat._shapes[number])
        identity = (id(flat), number)
        return Held(name, shape, flat.dtype, identity, True, True, None, lambda: _flat_parts(handle, number))


def _dotted(info) -> str:
    return clean(f"{info.module_name}.{info.param_name}" if info.module_name else info.param_name)


def _fsdp1(module: nn.Module) -> _Fsdp1:
    package = sys.modules.get("torch.distributed.fsdp")
    if package is None:
        return _Fsdp1(())
    units = package.FullyShardedDataParallel.fsdp_modules(module)
    return _Fsdp1([unit._handle for unit in units if unit._handle is not None])


def _flat_parts(handle, number: int) -> list[Part]:
    """What this process holds of an original parameter. Padding between and after parameters stays as it is."""
    flat = handle.flat_param
    shape = tuple(flat._shapes[number])
    if flat._param_extensions[number] is not None:
        raise ValueError("FSDP1 over tensor parallel is not supported: use fully_shard (FSDP2)")
    if not flat._contiguities[number]:
        raise ValueError("FSDP1 has flattened a parameter that was not contiguous, in an order of its own")
    # The data, and not the parameter: its type is then torch.Tensor.
    data = flat.data
    _check_plain(data)
    if not handle.is_sharded(flat):
        # NO_SHARD, or summon_full_params. At other times FSDP1 drops the gathered parameters with their values.
        if handle.uses_sharded_strategy and handle._training_state.name != "SUMMON_FULL_PARAMS":
            raise ValueError(
                "FSDP1 is between a forward and a backward pass and has gathered the parameters: initialise before the "
                "first forward pass"
            )
        view = handle._get_unflat_views(data)
        return _part(Grid.whole(shape), list(view)[number].detach())
    info = flat._shard_param_infos[number]
    if not info.in_shard:
        return []
    local = data[info.offset_in_shard : info.offset_in_shard + info.numel_in_shard]
    return _part(Run(shape, info.intra_param_start_idx, info.intra_param_end_idx + 1), local)
