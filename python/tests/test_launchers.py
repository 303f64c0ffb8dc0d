"""The program under real launchers: a model of transformers, made by 4 processes, and read by the frameworks' loaders.

SEEDBED_BIN names the program. As a script, this file is one rank of a test that loads a checkpoint.
"""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

PROGRAM = os.environ.get("SEEDBED_BIN")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="SEEDBED_BIN does not name the program seedbed")

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n"]
LAUNCHERS = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_",
    "GROUP_",
    "ROLE_",
    "OMPI_",
    "PMI",
    "MPI_LOCAL",
    "SLURM_",
    "TORCHELASTIC",
)


def environment(**more):
    """The environment without the variables of a launcher that may have started the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    # A rank needs no library's threads, and torchrun says in many words that it sets this.
    return own | {"OMP_NUM_THREADS": "1"} | more


def run(*command, **more):
    done = subprocess.run(
        [str(word) for word in command], env=environment(**more), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small Llama: its manifest, its config.json, and the folder that one process makes."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("model")
    config = transformers.LlamaConfig(
        vocab_size=1003,
        hidden_size=128,
        intermediate_size=520,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
        architectures=["LlamaForCausalLM"],
    )
    with torch.device("meta"):
        llama = transformers.LlamaForCausalLM(config)
    parameters = {
        name: {"shape": list(tensor.shape), "dtype": "F32"} for name, tensor in llama.named_parameters()
    }
    (folder / "llama.json").write_text(json.dumps({"parameters": parameters}))
    config.save_pretrained(folder / "config")
    run(*init(folder, "one"))
    return folder


def init(folder, out, *options):
    name = folder / "llama.json"
    return [
        PROGRAM,
        "init",
        name,
        "-o",
        f"{folder / out}/",
        "--preset",
        "llama",
        "--adapter",
        "host",
        "--seed",
        "42",
        "--max-shard-size",
        "500KB",
        *options,
    ]


def hf(model, out):
    """Completes the folder and compares it with that of one process."""
    run(PROGRAM, "index", model / out)
    assert files(model / out) == files(model / "one")


def test_transformers_loads_the_folder(model):
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import load_file

    shutil.copytree(model / "one", model / "loaded")
    shutil.copy(model / "config" / "config.json", model / "loaded")
    llama, info = transformers.LlamaForCausalLM.from_pretrained(model / "loaded", output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tensors = {}
    for path in model.glob("one/*.safetensors"):
        tensors |= load_file(path)
    state = llama.state_dict()
    assert state.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(state[name], tensor), name


@pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not installed")
@pytest.mark.parametrize("size", [1, 4])
def test_mpirun(model, size):
    out = run(*MPIRUN, size, *init(model, f"mpi{size}", "--part", "auto"))
    assert out.count(f"rank {size - 1} of {size}: model-0") == 1
    hf(model, f"mpi{size}")


@pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not installed")
def test_mpirun_after_a_rank_was_killed(model):
    out = "killed"
    command = init(model, out, "--part", "auto")
    # The third rank is killed some milliseconds after its beginning.
    script = 'if [ "$OMPI_COMM_WORLD_RANK" = 2 ]; then "$@" & sleep 0.01; kill -9 $!; exit 1; fi; exec "$@"'
    words = [*MPIRUN, 4, "sh", "-c", script, "sh", *command]
    failed = subprocess.run([str(word) for word in words], env=environment(), capture_output=True, text=True)
    assert failed.returncode != 0
    run(*MPIRUN, 4, *command)
    hf(model, out)


def test_torchrun(model):
    run(
        *TORCHRUN,
        "--standalone",
        "--no-python",
        "--nproc-per-node",
        "4",
        *init(model, "torchrun", "--part", "auto"),
    )
    hf(model, "torchrun")


def slurm(rank, size):
    """What srun sets for a task."""
    return {
        "SLURM_JOB_ID": "7",
        "SLURM_STEP_ID": "0",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "SLURM_NODEID": "0",
        "SLURM_NTASKS": str(size),
        "SLURM_STEP_NUM_TASKS": str(size),
        "SLURM_STEP_TASKS_PER_NODE": str(size),
        "SLURM_STEP_NODELIST": "node0",
    }


def at_once(commands):
    started = [
        subprocess.Popen([str(word) for word in command], env=environment(**more))
        for command, more in commands
    ]
    assert [process.wait() for process in started] == [0] * len(started)


def test_slurm(model):
    at_once((init(model, "slurm", "--part", "auto", "-q"), slurm(rank, 4)) for rank in range(4))
    hf(model, "slurm")


def test_torchrun_in_each_task_of_slurm(model):
    rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--rdzv-id", "7"]
    torchrun = [*TORCHRUN, "--nnodes", "2", "--nproc-per-node", "2", *rendezvous, "--no-python"]
    at_once(
        ([*torchrun, *init(model, "nested", "--part", "auto", "-q")], slurm(rank, 2)) for rank in range(2)
    )
    hf(model, "nested")


@pytest.fixture(scope="module")
def cut(model):
    """The checkpoint whose tensors are cut over 4 ranks."""
    at_once((init(model, "dcp", "--layout", "dcp", "--part", f"{rank}/4", "-q"), {}) for rank in range(4))
    run(PROGRAM, "index", model / "dcp")
    return model / "dcp"


@pytest.mark.parametrize("world", [1, 2, 4])
def test_distributed_checkpoint_loads_the_folder(model, cut, world):
    torchrun = [*TORCHRUN, "--standalone", "--nproc-per-node", str(world)]
    saved = model / f"saved{world}"
    out = run(*torchrun, __file__, cut, model / "one", saved)
    assert out.count("loaded ") == {1: 1, 2: 2, 4: 8}[world] * world
    # PyTorch drops the record, and cuts small tensors too.
    out = run(PROGRAM, "verify", saved, "--like", model / "one")
    assert f"at [{(1003 + world - 1) // world}, 0]" in out or world == 1
    assert " 0 differ, 0 copied, 0 unknown" in out


def test_consolidation_gives_the_whole(model, cut):
    from safetensors.torch import load_file
    from torch.distributed.checkpoint._consolidate_hf_safetensors import consolidate_safetensors_files

    index = json.loads((model / "one" / "model.safetensors.index.json").read_text())
    (model / "consolidated").mkdir()
    consolidate_safetensors_files(
        str(cut), str(model / "consolidated"), dict.fromkeys(index["weight_map"], 1)
    )
    whole = {}
    for path in (model / "consolidated").glob("*.safetensors"):
        whole |= load_file(path)
    right = {}
    for path in model.glob("one/*.safetensors"):
        right |= load_file(path)
    assert whole.keys() == right.keys()
    for name, tensor in right.items():
        assert torch.equal(whole[name], tensor), name


def load_on_a_rank(cut, one, saved):
    """Loads the checkpoint into tensors on meshes, compares them with the whole, and saves them once."""
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    from safetensors.torch import load_file
    from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, zeros

    dist.init_process_group("gloo")
    world = dist.get_world_size()
    right = {}
    for path in Path(one).glob("*.safetensors"):
        right |= load_file(path)
    assert any(len(tensor.shape) > 1 for tensor in right.values())
    kinds = {
        1: [((1,), (Shard(0),))],
        2: [((2,), (Shard(0),)), ((2,), (Shard(1),))],
        4: [((4,), (placement,)) for placement in (Shard(0), Shard(1))]
        + [
            ((2, 2), placements)
            for placements in itertools.product((Shard(0), Shard(1), Replicate()), repeat=2)
            if placements not in ((Shard(0), Shard(0)), (Shard(1), Shard(1)), (Replicate(), Replicate()))
        ],
    }[world]
    for shape, placements in kinds:
        mesh = init_device_mesh("cpu", shape)

        def empty(tensor):
            # A vector has no second dimension to shard.
            fitting = [p if not p.is_shard() or p.dim < tensor.dim() else Replicate() for p in placements]
            return zeros(tensor.shape, dtype=tensor.dtype, device_mesh=mesh, placements=fitting)

        # The reader takes whole tensors too.
        for folder in [cut, one] if (shape, placements) == kinds[0] else [cut]:
            state = {name: empty(tensor) for name, tensor in right.items()}
            dcp.load(state, storage_reader=HuggingFaceStorageReader(folder))
            for name, tensor in right.items():
                assert torch.equal(state[name].full_tensor(), tensor), (name, shape, placements)
        if (shape, placements) == kinds[0]:
            dcp.save(state, storage_writer=HuggingFaceStorageWriter(saved, save_distributed=True))
        print(f"loaded {len(state)} tensors on a mesh {shape} as {placements}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    load_on_a_rank(*sys.argv[1:])
