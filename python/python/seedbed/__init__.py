"""Initialisation of neural-network parameters: same seed, same bits, on every device and any number of ranks.

>>> import numpy as np
>>> import seedbed
>>> weight = np.empty((256, 784), np.float32)
>>> key = seedbed.Key(42).named("fc.weight")
>>> _ = seedbed.fill(weight, "xavier_normal(gain=1.4)", key)
>>> half = np.empty((128, 784), np.float32)  # of rank 1 of 2
>>> region = seedbed.Region([256, 784]).shard([128, 0], [128, 784])
>>> _ = seedbed.fill(half, "xavier_normal(gain=1.4)", key, region=region)
>>> (half == weight[128:]).all()
np.True_

A fill runs on all cores and without Python's global lock. The variable RAYON_NUM_THREADS says how many threads a
process takes; the first fill reads it.
"""

from seedbed._fill import fill
from seedbed._native import CONTRACT_VERSION, Init, Key, Region
from seedbed._native import VERSION as __version__

__all__ = ["CONTRACT_VERSION", "Init", "Key", "Region", "__version__", "fill"]
