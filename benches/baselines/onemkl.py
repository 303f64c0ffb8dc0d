"""Intel oneMKL's Gaussian generators, by its C interface: python onemkl.py ELEMENTS

One stream per core, each skipped ahead to its part, as MKL's documentation has it.
"""

import ctypes
import glob
import importlib.metadata
import os
import sys
import threading

import numpy

from sample import report, seconds

# mkl_vsl_defines.h
PHILOX4X32X10 = 1048576 * 16
ARS5 = 1048576 * 15
GAUSSIAN_BOXMULLER2 = 1
GAUSSIAN_ICDF = 2

elements = int(sys.argv[1])
mkl = ctypes.CDLL(glob.glob(os.path.join(sys.prefix, "lib", "libmkl_rt.so*"))[0])
out = numpy.empty(elements, dtype=numpy.float32)
threads = os.cpu_count()
part = -(-elements // threads)


def check(status):
    assert status == 0, f"oneMKL returned {status}"


def gaussian(generator, method):
    def work(index):
        here = out[index * part : (index + 1) * part]
        stream = ctypes.c_void_p()
        check(mkl.vslNewStream(ctypes.byref(stream), generator, 42))
        check(mkl.vslSkipAheadStream(stream, ctypes.c_longlong(2 * part * index)))
        pointer = here.ctypes.data_as(ctypes.c_void_p)
        std = ctypes.c_float(0.02)
        check(mkl.vsRngGaussian(method, stream, len(here), pointer, ctypes.c_float(0), std))
        check(mkl.vslDeleteStream(ctypes.byref(stream)))

    def once():
        workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return once


version = importlib.metadata.version("mkl")
for name, generator, method in [
    ("oneMKL Philox4x32-10, Box-Muller", PHILOX4X32X10, GAUSSIAN_BOXMULLER2),
    ("oneMKL Philox4x32-10, ICDF", PHILOX4X32X10, GAUSSIAN_ICDF),
    ("oneMKL ARS5, ICDF", ARS5, GAUSSIAN_ICDF),
]:
    report(name, version, "normal", "f32", elements, seconds(gaussian(generator, method)))
    assert abs(out.std() - 0.02) < 1e-4 and abs(out.mean()) < 1e-4, "these are no normals"
