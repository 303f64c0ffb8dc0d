"""jax.nn.initializers.glorot_normal, compiled: python jax_glorot.py ELEMENTS"""

import sys

import jax
import jax.numpy

from sample import report, seconds, shape

elements = int(sys.argv[1])
key = jax.random.key(42)
for dtype, short in [(jax.numpy.float32, "f32"), (jax.numpy.bfloat16, "bf16")]:
    for case, init in {
        "normal": jax.nn.initializers.normal(0.02),
        "jax::glorot_normal": jax.nn.initializers.glorot_normal(),
    }.items():
        compiled = jax.jit(lambda key: init(key, shape(elements), dtype))
        once = lambda: compiled(key).block_until_ready()
        report(f"JAX {jax.default_backend()}", jax.__version__, case, short, elements, seconds(once))
