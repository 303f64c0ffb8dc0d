"""NumPy's Philox generator, on the one core that it uses: python numpy_philox.py ELEMENTS"""

import sys

import numpy

from sample import report, seconds

elements = int(sys.argv[1])
out = numpy.empty(elements, dtype=numpy.float32)
generator = numpy.random.Generator(numpy.random.Philox(42))
once = lambda: generator.standard_normal(out=out, dtype=numpy.float32)
report("NumPy Philox, one core", numpy.__version__, "normal", "f32", elements, seconds(once))
