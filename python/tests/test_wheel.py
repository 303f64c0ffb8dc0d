"""A wheel loads and fills, with numpy alone."""

import hashlib

import numpy as np

import seedbed


def test_golden_value():
    x = seedbed.fill(np.zeros((64, 48), np.float32), "normal", seedbed.Key(42).named("w"))
    y = seedbed.fill(np.zeros((48, 64), np.float32).T, "normal", seedbed.Key(42).named("w"))
    assert (x == y).all()
    assert (
        hashlib.sha256(x.tobytes()).hexdigest()
        == "9c1577b2afed68456a85765163bdd2ec061404756ac6bf437d6eb9a76f9fd66f"
    )


def test_bfloat16_without_ml_dtypes():
    memory = bytearray(2 * 100)
    seedbed.fill(memory, "ones", seedbed.Key(1), dtype="bfloat16")
    assert memory == bytes([0x80, 0x3F]) * 100
