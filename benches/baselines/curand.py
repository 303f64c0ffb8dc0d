"""cuRAND's Philox4x32-10 normals, by its C interface: python curand.py ELEMENTS

Needs an NVIDIA GPU with its driver, and the libraries of CUDA: those of PyPI (nvidia-curand, nvidia-cuda-runtime, which come
with many versions of torch), or an installed toolkit. No Python package is imported.
"""

import ctypes
import glob
import math
import os
import sys

from sample import report, seconds

# curand.h
PHILOX4_32_10 = 161
STATUS = {
    100: "header and library are of different versions",
    101: "the generator is not initialised",
    102: "memory allocation failed",
    103: "the generator is of the wrong type",
    104: "an argument is out of range",
    105: "the length is not a multiple of what the generator makes at once",
    106: "the GPU has no double precision",
    201: "a kernel could not be launched",
    202: "an earlier call had failed",
    203: "CUDA could not be initialised: no GPU, or no driver",
    204: "the GPU does not support this",
    999: "internal error",
}
# driver_types.h
DEVICE_TO_HOST = 2


class Missing(Exception):
    """What this needs and the machine has not."""


def candidates(name):
    """Where a library of CUDA can be: PyPI's wheels, then the loader's search, then toolkits."""
    for folder in sys.path:
        for place in ["nvidia/*/lib", "nvidia/*/bin", "torch/lib"]:
            yield from sorted(glob.glob(os.path.join(glob.escape(folder or "."), place, f"lib{name}.so*")), reverse=True)
    for version in [".so.13", ".so.12", ".so.11.0", ".so.10", ".so"]:
        yield f"lib{name}{version}"
    roots = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), *sorted(glob.glob("/usr/local/cuda*"), reverse=True)]
    for root in filter(None, roots):
        for place in ["lib64", "targets/*/lib"]:
            yield from sorted(glob.glob(os.path.join(glob.escape(root), place, f"lib{name}.so*")), reverse=True)


def load(name):
    for path in candidates(name):
        try:
            return ctypes.CDLL(path)
        except OSError:
            pass
    raise Missing(f"no lib{name}.so (PyPI: nvidia-curand and nvidia-cuda-runtime; or set CUDA_HOME)")


def declare(library, name, *arguments, result=ctypes.c_int):
    function = getattr(library, name)
    function.argtypes, function.restype = arguments, result
    return function


class Cuda:
    """The part of the runtime that is needed."""

    def __init__(self):
        library, pointer = load("cudart"), ctypes.c_void_p
        self.text = declare(library, "cudaGetErrorString", ctypes.c_int, result=ctypes.c_char_p)
        self.count = declare(library, "cudaGetDeviceCount", ctypes.POINTER(ctypes.c_int))
        self.malloc = declare(library, "cudaMalloc", ctypes.POINTER(pointer), ctypes.c_size_t)
        self.copy = declare(library, "cudaMemcpy", pointer, pointer, ctypes.c_size_t, ctypes.c_int)
        self.synchronise = declare(library, "cudaDeviceSynchronize")

    def check(self, status):
        if status:
            raise Missing(f"{self.text(status).decode()} (CUDA's error {status})")

    def allocate(self, size):
        devices, memory = ctypes.c_int(), ctypes.c_void_p()
        self.check(self.count(ctypes.byref(devices)))
        self.check(self.malloc(ctypes.byref(memory), size))
        return memory

    def wait(self):
        self.check(self.synchronise())

    def floats(self, memory, count):
        here = (ctypes.c_float * count)()
        self.check(self.copy(here, memory, ctypes.sizeof(here), DEVICE_TO_HOST))
        return here


class Curand:
    """A Philox4x32-10 generator on the first GPU."""

    def __init__(self):
        library, generator = load("curand"), ctypes.c_void_p
        self.library_version = declare(library, "curandGetVersion", ctypes.POINTER(ctypes.c_int))
        self.create = declare(library, "curandCreateGenerator", ctypes.POINTER(generator), ctypes.c_int)
        self.seed = declare(library, "curandSetPseudoRandomGeneratorSeed", generator, ctypes.c_ulonglong)
        self.generate = declare(
            library, "curandGenerateNormal", generator, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_float, ctypes.c_float
        )
        self.generator = generator()
        self.check(self.create(ctypes.byref(self.generator), PHILOX4_32_10))
        self.check(self.seed(self.generator, 42))

    def check(self, status):
        if status:
            raise Missing(f"{STATUS.get(status, 'an unknown failure')} (cuRAND's status {status})")

    def version(self):
        number = ctypes.c_int()
        self.check(self.library_version(ctypes.byref(number)))
        return f"{number.value // 1000}.{number.value // 100 % 10}.{number.value % 100}"

    def normal(self, memory, elements):
        self.check(self.generate(self.generator, memory, elements, 0.0, 0.02))


def device_name():
    """By the driver; "GPU" where it does not say."""
    name, device = ctypes.create_string_buffer(256), ctypes.c_int()
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
            return "GPU"
        return "GPU" if driver.cuDeviceGetName(name, len(name), device) else name.value.decode()
    except (OSError, AttributeError):
        return "GPU"


def check_normals(sample):
    mean = math.fsum(sample) / len(sample)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in sample) / len(sample))
    assert abs(mean) < 1e-4 and abs(std - 0.02) < 1e-4, f"these are no normals: mean {mean}, std {std}"


def main():
    elements = int(sys.argv[1])
    curand, cuda = Curand(), Cuda()
    memory = cuda.allocate(4 * elements)
    median = seconds(lambda: curand.normal(memory, elements), cuda.wait)
    if elements >= 1 << 20:
        check_normals(cuda.floats(memory, 1 << 20))
    name = f"cuRAND Philox4x32-10, {device_name()}"
    report(name, curand.version(), "normal", "f32", elements, median)


if __name__ == "__main__":
    try:
        main()
    except Missing as missing:
        sys.exit(str(missing))
