"""Parameters on a CUDA device have the bytes of parameters on the CPU. Without such a device there is nothing to test."""

import numpy as np
import pytest

import seedbed


def cuda():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    return torch


def model(torch, device, dtype):
    nn = torch.nn
    with torch.device("meta"):
        made = nn.Sequential(
            nn.Embedding(50, 64),
            nn.Conv1d(64, 32, 3),
            nn.LayerNorm(32),
            nn.TransformerEncoderLayer(32, 4, 128),
            nn.Linear(32, 7, bias=False),
        ).to(dtype)
    return made.to_empty(device=device)


def recipes(torch):
    init = torch.nn.init

    def by_constructor(module):
        for part in module.modules():
            for name in ("reset_parameters", "_reset_parameters"):
                getattr(part, name, lambda: None)()

    def by_hand(module):
        for parameter in module.parameters():
            if parameter.ndim < 2:
                parameter.data.normal_(0.5, 0.1)
            else:
                init.trunc_normal_(parameter, std=0.02)

    def by_views(module):
        for parameter in module.parameters():
            if parameter.ndim == 2:
                init.xavier_normal_(parameter[: parameter.shape[0] // 2])
                init.orthogonal_(parameter[parameter.shape[0] // 2 :])
            else:
                init.uniform_(parameter, -1, 1)

    return [by_constructor, by_hand, by_views]


def assert_same(torch, left, right):
    left, right = left.state_dict(), right.state_dict()
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        there = right[name]
        bits = {2: torch.int16, 4: torch.int32}[tensor.element_size()]
        assert torch.equal(tensor.cpu().view(bits), there.cpu().view(bits)), name


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("number", range(3))
def test_seeded(dtype, number):
    torch = cuda()
    import seedbed.torch

    recipe = recipes(torch)[number]
    made = []
    for device in ("cpu", "cuda"):
        one = model(torch, device, getattr(torch, dtype))
        with seedbed.torch.seeded(one, 42):
            recipe(one)
        made.append(one)
    assert next(made[1].parameters()).is_cuda
    assert_same(torch, *made)


def test_init_and_fill():
    torch = cuda()
    import seedbed.torch

    made = [model(torch, device, torch.float32) for device in ("cpu", "cuda")]
    for one in made:
        seedbed.torch.init_(one, 42, preset="pytorch")
    assert_same(torch, *made)
    key = seedbed.Key(1).named("w")
    there = torch.empty(300, 100, device="cuda", dtype=torch.bfloat16)
    here = torch.empty(300, 100, dtype=torch.bfloat16)
    for tensor in (there, here):
        seedbed.torch.fill_(tensor, "xavier_normal", key)
    assert torch.equal(there.cpu(), here)


def test_a_large_tensor_in_pieces():
    """More than a piece, and a view with gaps."""
    torch = cuda()
    import seedbed.torch

    key = seedbed.Key(7).named("large")
    made = []
    for device in ("cpu", "cuda"):
        memory = torch.zeros(9000, 5000, device=device)
        seedbed.torch.fill_(memory[:, 100:4900], "normal(std=0.02)", key)
        made.append(memory.cpu())
    assert torch.equal(*made)
    assert (made[1][:, :100] == 0).all() and (made[1][:, 4900:] == 0).all()


def test_fully_shard(tmp_path):
    torch = cuda()
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    import seedbed.torch

    alone = model(torch, "cpu", torch.float32)
    recipe = recipes(torch)[0]
    with seedbed.torch.seeded(alone, 42):
        recipe(alone)
    dist.init_process_group("nccl", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        mesh = init_device_mesh("cuda", (1,))
        with torch.device("meta"):
            sharded = model(torch, "meta", torch.float32)
        fully_shard(sharded, mesh=mesh)
        sharded.to_empty(device="cuda")
        with seedbed.torch.seeded(sharded, 42):
            recipe(sharded)
        whole = {name: tensor.full_tensor().cpu() for name, tensor in sharded.state_dict().items()}
        for name, tensor in alone.state_dict().items():
            assert torch.equal(whole[name], tensor), name
    finally:
        dist.destroy_process_group()


def test_jax():
    jax = pytest.importorskip("jax")
    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    if not gpus:
        pytest.skip("jax finds no GPU")
    import seedbed.jax as sj

    for init in ("normal", "jax::glorot_normal", "uniform", "orthogonal"):
        for dtype in (np.float32, jax.numpy.bfloat16):
            there = sj.make((256, 64), gpus[0], init, 42, dtype)
            assert there.devices() == {gpus[0]}
            here = seedbed.fill(np.empty((256, 64), dtype), init, sj.as_key(42))
            assert np.asarray(there).tobytes() == here.tobytes(), init
