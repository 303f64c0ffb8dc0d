"""The memory of any array: its bytes, shape, strides and element type, without a copy."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

#: The element types that fills write, by numpy's names, and their sizes in bytes.
SIZES = {
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
}

#: The kinds of devices of DLPack whose memory the CPU reads and writes: CPU, CUDA's and ROCm's pinned memory.
DLPACK_HOST = (1, 3, 11)


def _nothing() -> None:
    pass


@dataclass
class Memory:
    """The memory of an array."""

    #: All bytes from the first to the last of the array, as a one-dimensional array of uint8.
    bytes: np.ndarray
    dtype: str
    #: None: the memory is raw bytes, and the region has the shape.
    shape: tuple[int, ...] | None
    #: In bytes.
    strides: tuple[int, ...]
    #: Called after a write.
    written: Callable[[], None] = _nothing

    @property
    def itemsize(self) -> int:
        return SIZES[self.dtype]

    @property
    def count(self) -> int:
        """The number of elements."""
        if self.shape is None:
            return len(self.bytes) // self.itemsize
        return product(self.shape)

    @property
    def is_contiguous(self) -> bool:
        return len(self.bytes) == self.count * self.itemsize and _is_row_major(
            self.shape, self.strides, self.itemsize
        )


def of(x: Any, dtype: str | None = None) -> Memory:
    """The memory of ``x``. Raises TypeError or ValueError for memory that no fill can write.

    ``dtype`` is the element type of raw bytes.
    """
    if dtype is not None and not isinstance(dtype, str):
        raise TypeError(f'the dtype must be a text such as "float32", not {type(dtype).__name__}')
    torch = sys.modules.get("torch")
    jax = sys.modules.get("jax")
    # A program may put anything under these names.
    if isinstance(tensor := getattr(torch, "Tensor", None), type) and isinstance(x, tensor):
        memory = _of_torch(torch, x)
    elif isinstance(x, np.ndarray):
        memory = _of_numpy(x)
    elif isinstance(array := getattr(jax, "Array", None), type) and isinstance(x, array):
        raise TypeError("arrays of JAX are immutable; seedbed.jax.make makes a new one")
    elif hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__"):
        memory = _of_dlpack(x)
    else:
        memory = _of_buffer(x, dtype)
    return memory if dtype is None else _as_dtype(memory, dtype)


def product(numbers: tuple[int, ...]) -> int:
    total = 1
    for number in numbers:
        total *= number
    return total


def _is_row_major(shape: tuple[int, ...] | None, strides: tuple[int, ...], itemsize: int) -> bool:
    if shape is None:
        return True
    expected = itemsize
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True


def _check_dtype(name: str) -> None:
    if name in SIZES:
        return
    if name == "float64":
        raise ValueError("the type float64 is not supported; fill an array of float32 and convert the values")
    raise ValueError(f"the type {name} is not supported; float32, float16 and bfloat16 are")


def span(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> int:
    """The number of bytes from the first to the last of an array. Checks that no two elements share bytes."""
    if 0 in shape:
        return 0
    extent = itemsize
    # From the dimension with the smallest stride on, each stride must step over all bytes of the dimensions before.
    for stride, size in sorted(
        (stride, size) for stride, size in zip(strides, shape, strict=True) if size > 1
    ):
        if stride < 0:
            raise ValueError(
                "the array has a negative stride, as x[::-1] has; fill an array without it and copy the values"
            )
        if stride < extent:
            raise ValueError(
                "elements of the array share memory, as those of a broadcast array do; fill an array whose elements "
                "do not"
            )
        extent += stride * (size - 1)
    return extent


class _Bytes:
    """Memory as numpy's array interface describes it. The object keeps the array that owns the memory.

    The bytes are no view of the array: the native half counts who borrows an array, and a process that is forked during
    a fill would never see its end. Nor are they from Tensor.numpy(), which fixes the size of a storage for good; FSDP
    resizes storages to free them.
    """

    def __init__(self, owner: object, address: int, size: int) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "version": 3,
            "shape": (size,),
            "typestr": "|u1",
            "data": (address, False),
        }


def _bytes(owner: object, address: int, size: int) -> np.ndarray:
    return np.asarray(_Bytes(owner, address, size)) if size else np.empty(0, np.uint8)


def _of_numpy(x: np.ndarray) -> Memory:
    # numpy imports np.ma at its first use, and a process that is forked meanwhile would wait for the import forever.
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    if isinstance(masked, type) and isinstance(x, masked):
        raise TypeError("a masked array has a mask beside its elements; fill x.data")
    name = x.dtype.name
    _check_dtype(name)
    if x.dtype.byteorder == (">" if sys.byteorder == "little" else "<"):
        raise ValueError(
            f"the array has the byte order {x.dtype.byteorder!r}, which is not this machine's; fill an array of "
            f'{name} and convert it with astype("{x.dtype.str}")'
        )
    # A subclass, such as np.matrix, has methods of its own, and may say anything of itself.
    x = np.asarray(x)
    if not x.flags.writeable:
        raise ValueError("the array is read-only")
    extent = span(x.shape, x.strides, x.itemsize)
    return Memory(_bytes(x, x.__array_interface__["data"][0], extent), name, x.shape, x.strides)


def _of_torch(torch: Any, x: Any) -> Memory:
    kind = type(x).__name__
    if type(x).__torch_dispatch__ != torch.Tensor.__torch_dispatch__:
        raise TypeError(f"a {kind} has no memory of its own; seedbed.torch.fill_ fills a DTensor")
    if x.layout != torch.strided or x.is_nested or x.is_quantized or x.dtype.is_complex:
        what = "nested" if x.is_nested else x.dtype if x.layout == torch.strided else x.layout
        raise TypeError(f"the tensor is {what}; a fill writes dense tensors of float32, float16 and bfloat16")
    if torch.nn.parameter.is_lazy(x):
        raise ValueError("the parameter has no shape yet; call materialize(), or the model, before the fill")
    if x.device.type == "meta":
        raise ValueError("the tensor is on the device meta, without memory; call to_empty() before the fill")
    if x.device.type != "cpu":
        raise ValueError(f"the tensor is on the device {x.device}; seedbed.torch.fill_ fills it")
    if x.is_neg() or x._is_zerotensor():
        raise ValueError("the tensor is a view that PyTorch has not computed; fill a clone()")
    dtype = str(x.dtype).removeprefix("torch.")
    _check_dtype(dtype)
    size = x.element_size()
    shape, strides = tuple(x.shape), tuple(size * stride for stride in x.stride())
    extent = span(shape, strides, size)
    try:
        storage, start = x.untyped_storage(), x.storage_offset() * size
        if start + extent > storage.nbytes():
            raise ValueError("the tensor's storage is freed; a fill needs memory to write to")
        address = storage.data_ptr() + start
    except RuntimeError as error:  # which NotImplementedError is, too
        raise ValueError(f"the memory of the {kind} can't be reached: {error}") from error
    # PyTorch counts writes, so that autograd finds a tensor that was changed.
    written = _nothing if x.is_inference() else lambda: torch.autograd.graph.increment_version(x)
    return Memory(_bytes(x, address, extent), dtype, shape, strides, written)


def _of_dlpack(x: Any) -> Memory:
    device = x.__dlpack_device__()
    if device[0] not in DLPACK_HOST:
        raise ValueError(
            f"the array is on a device (DLPack's kind {int(device[0])}); fill host memory, and copy the values"
        )
    try:
        try:
            array = np.from_dlpack(x, copy=False)
        except TypeError:  # numpy before 2.1 has no such argument
            array = np.from_dlpack(x)
    except (BufferError, RuntimeError) as error:
        raise ValueError(
            f"numpy can't take the array by DLPack ({error}); give its memory as a memoryview with dtype="
        ) from error
    if not array.flags.writeable:
        raise ValueError(
            "the array is read-only, or its library has an old DLPack that can't say that the array is writable"
        )
    return _of_numpy(array)


def _of_buffer(x: Any, dtype: str | None) -> Memory:
    try:
        view = memoryview(x)
    except (TypeError, BufferError):
        raise TypeError(
            f"{type(x).__name__} is no array whose memory a fill can write; give an array of numpy, a tensor of "
            "PyTorch, or an object with DLPack or the buffer protocol"
        ) from None
    if view.readonly:
        raise ValueError("the buffer is read-only")
    if dtype is None and view.itemsize == 1 and view.format != "?":
        raise ValueError('the buffer holds raw bytes; say their type, such as dtype="float32"')
    try:
        array = np.asarray(view)
    except (ValueError, NotImplementedError) as error:
        raise ValueError(f"numpy can't take the buffer: {error}") from error
    if view.format is not None and view.format.lstrip("@=<>") in ("c", "s", "b", "B"):
        array = array.view(np.uint8)
    return _of_numpy(array)


def _as_dtype(memory: Memory, dtype: str) -> Memory:
    """The memory as elements of another type of the same bytes."""
    _check_dtype(dtype)
    if memory.dtype == dtype:
        return memory
    size = SIZES[dtype]
    if memory.dtype in ("uint8", "int8"):
        if not memory.is_contiguous:
            raise ValueError("the raw bytes have gaps; give an array without")
        if len(memory.bytes) % size != 0:
            raise ValueError(f"{len(memory.bytes)} bytes are no whole number of elements of {dtype}")
        return Memory(memory.bytes, dtype, None, (), memory.written)
    if memory.dtype in ("uint16", "int16") and size == 2:
        return Memory(memory.bytes, dtype, memory.shape, memory.strides, memory.written)
    raise ValueError(f"the array has the type {memory.dtype}, not {dtype}")
