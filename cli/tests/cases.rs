//! Models as people have them: what the program makes of each, or says about it.
//!
//! The tests of the first part follow public reports, which their comments name. Names and sizes are small
//! stand-ins; the right values come from the framework's own code. The other parts add cases of the same
//! kind.

mod common;
#[path = "common/job.rs"]
mod job;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use common::{Folder, manifest, succeed, text};
use job::{Job, Made, Tensor, has_law, is_orthogonal, lines, on_the_host, safetensors};
use safetensors::Dtype;
use serde_json::Value;

// ---- Reports ----

/// pytorch/pytorch#750: the biases of an LSTM are no matrices, and no norm scales either.
#[test]
fn lstm_biases() {
    let job = Job::new(&[
        ("rnn.weight_ih_l0", &[32, 8]),
        ("rnn.weight_hh_l0", &[32, 8]),
        ("rnn.bias_ih_l0", &[32]),
        ("rnn.bias_hh_l0", &[32]),
        ("rnn.bias_ih_l0_reverse", &[32]),
    ]);
    let made = job.init();
    for bias in ["rnn.bias_ih_l0", "rnn.bias_hh_l0", "rnn.bias_ih_l0_reverse"] {
        made.constant(bias, 0.0);
    }
    job.law(&made, "rnn.weight_ih_l0", 0.0, 0.22360679774997896);
}

/// jax-ml/jax#21749: a forget gate's bias of 1.
#[test]
fn lstm_forget_gate() {
    let job = Job::new(&[("rnn.bias_ih_l0", &[32])]).rules(
        r#"
        [[rule]]
        match = "*bias_ih_l*"
        split = { axis = 0, into = 4 }
        init = ["zeros", "ones", "zeros", "zeros"]
        "#,
    );
    let right: Vec<f64> = (0..32).map(|i| if (8..16).contains(&i) { 1.0 } else { 0.0 }).collect();
    assert_eq!(job.init().values("rnn.bias_ih_l0"), right);
}

/// discuss.pytorch.org 23605: each gate of the recurrent weight is orthogonal.
#[test]
fn lstm_orthogonal_per_gate() {
    let job = Job::new(&[("rnn.weight_hh_l0", &[32, 8])]).rules(
        r#"
        [[rule]]
        match = "*weight_hh_l*"
        split = { axis = 0, into = 4 }
        init = "orthogonal"
        "#,
    );
    let made = job.init();
    let gates: Vec<_> = (0..4).map(|gate| made.rows("rnn.weight_hh_l0", 8 * gate..8 * gate + 8)).collect();
    for (number, gate) in gates.iter().enumerate() {
        is_orthogonal("a gate", gate, [8, 8], 1.0);
        assert!(gates[..number].iter().all(|other| other != gate), "two gates are the same matrix");
    }
}

/// huggingface/transformers#11809: LayerNorm's parameters were once called gamma and beta.
#[test]
fn layernorm_gamma_beta() {
    let (gamma, beta) = ("bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.beta");
    let made = Job::new(&[(gamma, &[8]), (beta, &[8])]).init();
    made.constant(gamma, 1.0);
    made.constant(beta, 0.0);
}

/// huggingface/transformers#43520, huggingface/candle#2496: the running statistics of a batch norm, and its
/// counter.
#[test]
fn batchnorm_buffers() {
    let job = Job::typed(&[
        ("bn1.weight", "F32", &[8]),
        ("bn1.bias", "F32", &[8]),
        ("bn1.running_mean", "F32", &[8]),
        ("bn1.running_var", "F32", &[8]),
        ("bn1.num_batches_tracked", "I64", &[]),
    ]);
    let made = job.init();
    for (name, value) in [
        ("weight", 1.0),
        ("bias", 0.0),
        ("running_mean", 0.0),
        ("running_var", 1.0),
        ("num_batches_tracked", 0.0),
    ] {
        made.constant(&format!("bn1.{name}"), value);
    }
    assert_eq!(made.tensor("bn1.num_batches_tracked").dtype, Dtype::I64);
}

/// huggingface/pytorch-image-models#2605: LayerScale's gamma is no norm scale; the paper decides its value.
#[test]
fn layerscale_unknown() {
    Job::new(&[("blocks.0.ls1.gamma_1", &[8]), ("blocks.0.norm1.weight", &[8])]).error(&[
        "model.json",
        "blocks.0.ls1.gamma_1",
        "LayerScale",
        "copy",
    ]);
}

/// huggingface/transformers#1419: a causal mask that is called bias.
#[test]
fn causal_mask_named_bias() {
    Job::new(&[("h.0.attn.bias", &[1, 1, 64, 64]), ("h.0.attn.c_attn.bias", &[24])]).error(&[
        "model.json",
        "h.0.attn.bias",
        "mask",
        "copy",
    ]);
}

/// sgl-project/sglang#35491: the scale of a quantised weight follows from the weight.
#[test]
fn fp8_scales() {
    Job::typed(&[
        ("down_proj.weight", "F8_E4M3", &[128, 128]),
        ("down_proj.weight_scale_inv", "F32", &[1, 1]),
    ])
    .option("--dtype", "bf16")
    .error(&["model.json", "down_proj.weight_scale_inv", "copy"]);
}

/// microsoft/Tutel#216: each expert of a stack has the fans of its own matrix.
#[test]
fn experts_stacked() {
    let job = Job::new(&[("experts.gate_up_proj", &[8, 64, 256])]).rules(
        r#"
        [[rule]]
        match = "*experts.gate_up_proj"
        unstack = 0
        init = "xavier_normal"
        "#,
    );
    job.law(&job.init(), "experts.gate_up_proj", 0.0, 0.07905694150420949);
}

/// microsoft/Tutel#216: a stack holds the very weights of separate experts.
#[test]
fn experts_equal_separate() {
    let job =
        Job::new(&[("moe.w1", &[4, 16, 8]), ("moe.0.w1.weight", &[16, 8]), ("moe.3.w1.weight", &[16, 8])])
            .rules(
                r#"
            [[rule]]
            match = "moe.w1"
            unstack = 0
            names = ".<i>.w1.weight"
            init = "xavier_normal"

            [[rule]]
            match = "*"
            init = "xavier_normal"
            "#,
            );
    let made = job.init();
    assert_eq!(made.row_bytes("moe.w1", 0..1), made.data("moe.0.w1.weight"));
    assert_eq!(made.row_bytes("moe.w1", 3..4), made.data("moe.3.w1.weight"));
    assert_ne!(made.row_bytes("moe.w1", 1..2), made.row_bytes("moe.w1", 2..3));
}

const FUSED_QKV: &str = r#"
    [[rule]]
    match = "*in_proj_weight"
    split = { axis = 0, into = 3 }
    names = [".q_proj.weight", ".k_proj.weight", ".v_proj.weight"]
    init = "xavier_uniform"

    [[rule]]
    match = "*"
    init = "xavier_uniform"
"#;

/// pytorch/pytorch#166378: a fused projection holds the very weights of separate ones.
#[test]
fn fused_qkv() {
    let parts = ["attn.q_proj.weight", "attn.k_proj.weight", "attn.v_proj.weight"];
    let shape: &[u64] = &[64, 64];
    let job = Job::new(&[
        ("attn.in_proj_weight", &[192, 64]),
        (parts[0], shape),
        (parts[1], shape),
        (parts[2], shape),
    ])
    .rules(FUSED_QKV);
    let made = job.init();
    job.law(&made, "attn.in_proj_weight", 0.0, 0.125);
    for (number, part) in parts.iter().enumerate() {
        let rows = made.row_bytes("attn.in_proj_weight", 64 * number..64 * number + 64);
        assert!(rows == made.data(part), "{part}");
    }
    let row = job.row("attn.in_proj_weight");
    let streams: Vec<_> =
        row["parts"].as_array().unwrap().iter().map(|part| part["stream"].as_str().unwrap()).collect();
    assert_eq!(streams, parts);
    assert_eq!(row["parts"][1]["shape"], serde_json::json!([64, 64]));
}

/// Hugging Face transformers, `pytorch_utils.py`: GPT-2's Conv1D keeps its weight as [in, out].
#[test]
fn conv1d_layout() {
    let job = Job::new(&[("h.0.mlp.c_fc.weight", &[768, 3072])]).rules(
        r#"
        [[rule]]
        match = "*.c_fc.weight"
        layout = "in_out"
        init = "kaiming_normal(nonlinearity=relu)"
        "#,
    );
    job.law(&job.init(), "h.0.mlp.c_fc.weight", 0.0, 0.05103103630798288);
    let row = job.row("h.0.mlp.c_fc.weight");
    assert_eq!((row["fan_in"].as_f64(), row["fan_out"].as_f64()), (Some(768.0), Some(3072.0)));
}

/// huggingface/pytorch-image-models#84: fan_out of a depthwise convolution is that of one group.
#[test]
fn depthwise_fan_out() {
    let job = Job::new(&[("dw.weight", &[64, 1, 3, 3])]).rules(
        r#"
        [[rule]]
        match = "dw.weight"
        groups = 64
        init = "kaiming_normal(mode=fan_out,nonlinearity=relu)"
        "#,
    );
    job.law(&job.init(), "dw.weight", 0.0, 0.4714045207910317);
}

/// pytorch/pytorch#57109: a Linear's bias is drawn from the interval of its weight.
#[test]
fn torch_default_bias() {
    let job = Job::new(&[("fc1.weight", &[256, 784]), ("fc1.bias", &[256])]).option("--preset", "pytorch");
    let made = job.init();
    job.law(&made, "fc1.weight", 0.0, 0.020619652471058063);
    job.law(&made, "fc1.bias", 0.0, 0.020619652471058063);
    assert_eq!(job.row("fc1.bias")["preset"], "pytorch");
}

/// huggingface/transformers#47458: the number of layers scales the projections that end a residual branch.
#[test]
fn gpt2_residual_scaling() {
    let (first, last) = ("h.0.attn.c_proj.weight", "h.11.mlp.c_proj.weight");
    let mut parameters: Vec<(String, &[u64])> =
        vec![(first.into(), &[768, 768]), (last.into(), &[3072, 768]), ("wte.weight".into(), &[512, 768])];
    // `count` sees the layers between by their norms.
    let norm: &[u64] = &[768];
    parameters.extend((0..12).map(|layer| (format!("h.{layer}.ln_1.weight"), norm)));
    let parameters: Vec<_> = parameters.iter().map(|(name, shape)| (name.as_str(), *shape)).collect();
    let job = Job::new(&parameters).rules(
        r#"
        [let]
        layers = "count(layer)"
        std = 0.02
        scaled = "std/sqrt(2*layers)"

        [[rule]]
        match = "h.<layer>.*c_proj.weight"
        init = "normal(std=scaled)"

        [[rule]]
        match = "h.<layer>.ln_*.weight"
        init = "ones"

        [[rule]]
        match = "*"
        init = "normal(std=std)"
        "#,
    );
    let made = job.init();
    job.law(&made, first, 0.0, 0.004082482904638631);
    job.law(&made, last, 0.0, 0.004082482904638631);
    job.law(&made, "wte.weight", 0.0, 0.02);
}

/// huggingface/peft#1060: LoRA's initialisers, as pasted from Python.
#[test]
fn lora() {
    let job = Job::new(&[("q.lora_A.weight", &[8, 768]), ("q.lora_B.weight", &[768, 8])]).rules(
        r#"
        [[rule]]
        match = "*.lora_A.weight"
        init = "nn.init.kaiming_uniform_(self.lora_A[name].weight, a=math.sqrt(5))"

        [[rule]]
        match = "*.lora_B.weight"
        init = "nn.init.zeros_(self.lora_B[name].weight)"
        "#,
    );
    let made = job.init();
    job.law(&made, "q.lora_A.weight", 0.0, 0.020833333333333332);
    made.constant("q.lora_B.weight", 0.0);
}

const NEW_HEAD: &str = r#"
    [[rule]]
    match = "classifier.weight"
    init = "normal(std=0.02)"

    [[rule]]
    match = "classifier.bias"
    init = "zeros"

    [[rule]]
    match = "*"
    copy = true
"#;

/// A backbone with data.
fn backbone() -> [Tensor; 2] {
    [
        Tensor::arbitrary("backbone.weight", Dtype::F32, &[64, 64]),
        Tensor::arbitrary("backbone.bias", Dtype::F32, &[64]),
    ]
}

/// huggingface/transformers#3635: a new head on a backbone that is kept.
#[test]
fn new_head() {
    let job = Job::new(&[
        ("backbone.weight", &[64, 64]),
        ("backbone.bias", &[64]),
        ("classifier.weight", &[3, 64]),
        ("classifier.bias", &[3]),
    ])
    .rules(NEW_HEAD)
    .from(&backbone());
    let made = job.init();
    backbone().iter().for_each(|tensor| made.copied(tensor));
    job.law(&made, "classifier.weight", 0.0, 0.02);
    made.constant("classifier.bias", 0.0);
    assert_eq!(job.row("backbone.weight")["outcome"], "copy");
}

const GROW: &str = r#"
    [[rule]]
    match = "wte.weight"
    copy = true
    grow = "normal(std=0.02)"
"#;

/// huggingface/transformers#6558: a vocabulary that grew.
#[test]
fn grown_vocabulary() {
    let old = Tensor::arbitrary("wte.weight", Dtype::F32, &[64, 16]);
    let made = Job::new(&[("wte.weight", &[80, 16])]).rules(GROW).from(std::slice::from_ref(&old)).init();
    assert!(made.row_bytes("wte.weight", 0..64) == old.bytes);
    has_law("the new rows", &made.rows("wte.weight", 64..80), 0.0, 0.02);
}

/// pytorch/pytorch#6495: the padding row of an embedding is zeros.
#[test]
fn padding_idx() {
    let job = Job::new(&[("emb.weight", &[32, 16])]).rules(
        r#"
        [[rule]]
        match = "emb.weight"
        init = "normal()"
        rows = { 1 = "zeros" }
        "#,
    );
    let made = job.init();
    assert_eq!(made.rows("emb.weight", 1..2), [0.0; 16]);
    let others = [made.rows("emb.weight", 0..1), made.rows("emb.weight", 2..32)].concat();
    has_law("the other rows", &others, 0.0, 1.0);
    // The padding row changes no other row.
    let whole =
        Job::new(&[("emb.weight", &[32, 16])]).rules("[[rule]]\nmatch = '*'\ninit = 'normal()'\n").init();
    assert!(made.row_bytes("emb.weight", 2..32) == whole.row_bytes("emb.weight", 2..32));
}

/// huggingface/transformers#30202: a file that holds both of two tied weights.
#[test]
fn tied() {
    let (embedding, head) = ("model.embed_tokens.weight", "lm_head.weight");
    let job = Job::new(&[(embedding, &[512, 64]), (head, &[512, 64])]).rules(
        r#"
        [[rule]]
        match = "lm_head.weight"
        tie = "model.embed_tokens.weight"

        [[rule]]
        match = "*"
        init = "normal(std=0.02)"
        "#,
    );
    let made = job.init();
    made.same(head, embedding);
    job.law(&made, embedding, 0.0, 0.02);
    assert_eq!(job.row(head)["outcome"], "tie");
}

/// pytorch/pytorch#94575: torch.compile's prefix changes no value.
#[test]
fn compiled_prefix() {
    let plain = Job::new(&[("fc.weight", &[16, 8])]).init();
    let rules = "[names]\nstrip = ['module.', '_orig_mod.']\n\
                 [[rule]]\nmatch = '*.weight'\ninit = 'xavier_normal'\n";
    let compiled = || Job::new(&[("_orig_mod.fc.weight", &[16, 8])]);
    let by_option = compiled().option("--strip-prefix", "_orig_mod.").init();
    let by_rules = compiled().rules(rules).init();
    for made in [by_option, by_rules] {
        assert!(made.data("_orig_mod.fc.weight") == plain.data("fc.weight"));
    }
}

/// CLIP's and BERT's checkpoints: position_ids of type I64.
#[test]
fn position_ids() {
    let ids = Tensor::arbitrary("embeddings.position_ids", Dtype::I64, &[1, 16]);
    let source = [ids.clone(), Tensor::arbitrary("fc.weight", Dtype::F32, &[8, 8])];
    let with = |outcome: &str| {
        let built_in = succeed(&[&"rules"]);
        let job = Job::file(&source)
            .rules(&format!("[[rule]]\nmatch = '*position_ids'\n{outcome} = true\n\n{built_in}"));
        let made = job.init();
        job.law(&made, "fc.weight", 0.0, 0.3535533905932738);
        made
    };
    with("copy").copied(&ids);
    with("skip").absent("embeddings.position_ids");
    Job::file(&source).error(&["model.safetensors", "embeddings.position_ids", "copy", "skip"]);
}

/// The tensors of two shards, and the index that names them.
fn shards() -> ([Vec<Tensor>; 2], String) {
    let first = vec![Tensor::arbitrary("a.weight", Dtype::F32, &[16, 8])];
    let second = vec![
        Tensor::arbitrary("b.weight", Dtype::F32, &[8, 16]),
        Tensor::arbitrary("b.bias", Dtype::F32, &[8]),
    ];
    let entries = [(1, &first), (2, &second)].map(|(number, tensors)| {
        let file = format!("model-0000{number}-of-00002.safetensors");
        tensors.iter().map(|tensor| format!("{:?}: {file:?}", tensor.name)).collect::<Vec<_>>()
    });
    let index = format!("{{\"metadata\": {{}}, \"weight_map\": {{{}}}}}", entries.concat().join(", "));
    ([first, second], index)
}

/// huggingface/diffusers#7830: a checkpoint in shards is one model.
#[test]
fn index_input() {
    let ([first, second], index) = shards();
    // Each rule matches parameters of one shard alone.
    let rules = r#"
        [[rule]]
        match = "a.*"
        init = "normal(std=0.02)"

        [[rule]]
        match = "b.weight"
        init = "xavier_uniform"

        [[rule]]
        match = "*.bias"
        copy = true
    "#;
    let whole = Job::file(&[first.clone(), second.clone()].concat()).rules(rules).init();
    assert_eq!(whole.stderr, [""; 0]);
    for model in ["model.safetensors.index.json", "."] {
        let job = Job::with("model.safetensors.index.json", &index)
            .beside("model-00001-of-00002.safetensors", safetensors(&first, &[]))
            .beside("model-00002-of-00002.safetensors", safetensors(&second, &[]));
        let model = job.folder.path(model);
        let job = job.model(&model).rules(rules);
        job.no_warning();
        let made = Made::read(&job.out());
        assert_eq!(made.names(), ["a.weight", "b.bias", "b.weight"]);
        for name in made.names() {
            assert!(made.data(&name) == whole.data(&name), "{name}");
        }
        made.copied(&second[1]);
    }
}

/// keras-team/keras#5507: Keras flattens a kernel to [height·width·in, out].
#[test]
fn keras_conv_orthogonal() {
    let made = Job::new(&[("conv.kernel", &[3, 3, 16, 32])])
        .rules("[[rule]]\nmatch = '*.kernel'\ninit = 'keras::orthogonal()'\n")
        .init();
    is_orthogonal("conv.kernel", &made.values("conv.kernel"), [144, 32], 1.0);
}

// ---- Recurrent layers ----

/// A GRU has biases of the names of an LSTM, and two layers have numbers.
#[test]
fn gru_biases() {
    let names = ["gru.bias_ih_l0", "gru.bias_hh_l0", "gru.bias_ih_l1", "gru.bias_hh_l1"];
    let shape: &[u64] = &[24];
    let made = Job::new(&names.map(|name| (name, shape))).init();
    names.iter().for_each(|name| made.constant(name, 0.0));
}

/// Both directions of an LSTM, and its cells, which have no numbers.
#[test]
fn bidirectional_lstm() {
    let biases = ["rnn.bias_hh_l1_reverse", "rnn.bias_ih_l12_reverse", "cell.bias_ih", "cell.bias_hh"];
    let matrices = ["rnn.weight_hh_l1_reverse", "rnn.weight_hr_l0"];
    let (vector, matrix): (&[u64], &[u64]) = (&[32], &[32, 8]);
    let shapes = biases.map(|name| (name, vector)).into_iter().chain(matrices.map(|name| (name, matrix)));
    let parameters: Vec<_> = shapes.collect();
    let job = Job::new(&parameters);
    let made = job.init();
    biases.iter().for_each(|name| made.constant(name, 0.0));
    matrices.iter().for_each(|name| job.law(&made, name, 0.0, (2.0 / 40.0_f64).sqrt()));
    // The directions have streams of their own.
    assert_ne!(made.data(matrices[0]), made.data(matrices[1]));
}

/// The three gates of a GRU, each orthogonal, with a gain.
#[test]
fn gru_orthogonal_per_gate() {
    let made = Job::new(&[("gru.weight_hh_l0", &[24, 8])])
        .rules(
            "[[rule]]\nmatch = '*weight_hh_*'\nsplit = { axis = 0, into = 3 }\ninit = 'orthogonal(gain=2)'\n",
        )
        .init();
    for gate in 0..3 {
        is_orthogonal("a gate", &made.rows("gru.weight_hh_l0", 8 * gate..8 * gate + 8), [8, 8], 2.0);
    }
}

/// The preset pytorch draws every parameter of an LSTM and of a GRU from ±1/√hidden.
#[test]
fn recurrent_layers_as_pytorch_leaves_them() {
    let job = Job::new(&[
        ("lstm.weight_ih_l0", &[1024, 64]),
        ("lstm.weight_hh_l0", &[1024, 256]),
        ("lstm.bias_ih_l0", &[1024]),
        ("lstm.bias_hh_l0", &[1024]),
    ])
    .option("--preset", "pytorch");
    let made = job.init();
    for name in ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"] {
        job.law(&made, &format!("lstm.{name}"), 0.0, 1.0 / (3.0 * 256.0_f64).sqrt());
    }
}

// ---- Parts ----

/// Grouped-query attention: keys and values are smaller than queries.
#[test]
fn sizes_of_parts() {
    let parts: [(&str, &[u64]); 3] =
        [("a.q_proj.weight", &[64, 64]), ("a.k_proj.weight", &[16, 64]), ("a.v_proj.weight", &[16, 64])];
    let rules = |sizes: &str| {
        format!(
            "[[rule]]\nmatch = '*qkv_proj.weight'\nsplit = {{ axis = 0, sizes = {sizes} }}\n\
             names = ['..q_proj.weight', '..k_proj.weight', '..v_proj.weight']\ninit = 'xavier_normal'\n\
             [[rule]]\nmatch = '*'\ninit = 'xavier_normal'\n"
        )
    };
    for sizes in ["[64, 16, 16]", "['d1', 'd1/4', 'd1/4']"] {
        let fused: (&str, &[u64]) = ("a.qkv_proj.weight", &[96, 64]);
        let made = Job::new(&[&[fused][..], &parts].concat()).rules(&rules(sizes)).init();
        let right: Vec<u8> = parts.iter().flat_map(|(name, _)| made.data(name)).collect();
        assert!(made.data("a.qkv_proj.weight") == right, "{sizes}");
    }
}

/// The columns of a matrix of F32.
fn columns(made: &Made, name: &str, range: std::ops::Range<usize>) -> Vec<u8> {
    let tensor = made.tensor(name);
    let rows = tensor.bytes.chunks_exact(4 * tensor.shape[1]);
    rows.flat_map(|row| row[4 * range.start..4 * range.end].to_vec()).collect()
}

/// A fused Conv1D [in, 3·out] holds separate weights in its columns. An axis may be counted from the end.
#[test]
fn columns_of_a_conv1d() {
    let parts: [(&str, &[u64]); 3] =
        [("attn.q.weight", &[16, 24]), ("attn.k.weight", &[16, 24]), ("attn.v.weight", &[16, 24])];
    let fused: (&str, &[u64]) = ("attn.c_attn.weight", &[16, 72]);
    for axis in [1, -1] {
        let job = Job::new(&[&[fused][..], &parts].concat()).rules(&format!(
            r#"
            [[rule]]
            match = "*c_attn.weight"
            split = {{ axis = {axis}, into = 3 }}
            names = ["..q.weight", "..k.weight", "..v.weight"]
            layout = "in_out"
            init = "kaiming_normal(nonlinearity='relu')"

            [[rule]]
            match = "*"
            layout = "in_out"
            init = "kaiming_normal(nonlinearity='relu')"
            "#
        ));
        let made = job.init();
        for (number, (part, _)) in parts.iter().enumerate() {
            let found = columns(&made, "attn.c_attn.weight", 24 * number..24 * number + 24);
            assert!(found == made.data(part), "{part}, axis {axis}");
        }
        // fan_in is 16, the first dimension.
        job.law(&made, "attn.c_attn.weight", 0.0, (2.0 / 16.0_f64).sqrt());
    }
}

/// Without names, the streams of parts are the tensor's name with a number.
#[test]
fn parts_without_names() {
    let rules = "[[rule]]\nmatch = 'w'\nsplit = { axis = 0, into = 2 }\ninit = 'normal()'\n\
                 [[rule]]\nmatch = '*'\ninit = 'normal()'\n";
    let job = Job::new(&[("w", &[8, 3]), ("w[0]", &[4, 3]), ("w[1]", &[4, 3])]).rules(rules);
    let made = job.init();
    assert_eq!(made.data("w"), [made.data("w[0]"), made.data("w[1]")].concat());
}

/// Experts as [experts, in, out], each of which has the fans of its own layout.
#[test]
fn experts_in_out() {
    let job = Job::new(&[("moe.w1", &[4, 64, 256]), ("moe.2.w1", &[64, 256])]).rules(
        r#"
        [[rule]]
        match = "moe.w1"
        unstack = 0
        names = "moe.<i>.w1"
        layout = "in_out"
        init = "kaiming_normal"

        [[rule]]
        match = "*"
        layout = "in_out"
        init = "kaiming_normal"
        "#,
    );
    let made = job.init();
    job.law(&made, "moe.w1", 0.0, (2.0 / 64.0_f64).sqrt());
    assert!(made.row_bytes("moe.w1", 2..3) == made.data("moe.2.w1"));
}

/// A stack of orthogonal experts.
#[test]
fn experts_are_orthogonal_each() {
    let made = Job::new(&[("experts.w", &[3, 8, 12])])
        .rules("[[rule]]\nmatch = '*'\nunstack = 0\ninit = 'orthogonal'\n")
        .init();
    for expert in 0..3 {
        is_orthogonal("an expert", &made.rows("experts.w", expert..expert + 1), [8, 12], 1.0);
    }
}

/// One initialiser per slice, and an axis in the middle.
#[test]
fn slices_of_another_axis() {
    let made = Job::new(&[("w", &[2, 3, 2])])
        .rules("[[rule]]\nmatch = 'w'\nunstack = 1\ninit = ['zeros', 'ones', 'constant(2)']\n")
        .init();
    assert_eq!(made.values("w"), [0., 0., 1., 1., 2., 2.].repeat(2));
}

/// Contradictions between parts and shapes, found before anything is written.
#[test]
fn parts_that_do_not_fit() {
    let rule = |text: &str| Job::new(&[("w", &[12, 4])]).rules(&format!("[[rule]]\nmatch = 'w'\n{text}\n"));
    for (text, words) in [
        ("split = { axis = 0, sizes = [4, 4, 3] }\ninit = 'normal()'", ["\"w\"", "11", "12"]),
        ("split = { axis = 0, into = 5 }\ninit = 'normal()'", ["\"w\"", "5", "12"]),
        ("split = { axis = 2, into = 2 }\ninit = 'normal()'", ["\"w\"", "axis", "2"]),
        ("split = { axis = -3, into = 2 }\ninit = 'normal()'", ["\"w\"", "axis", "-3"]),
        ("split = { axis = 0, into = 3 }\ninit = ['zeros', 'ones']", ["2", "3", "init"]),
        ("split = { axis = 0, into = 3 }\nnames = ['a', 'b']\ninit = 'zeros'", ["2", "3", "names"]),
        ("unstack = 2\ninit = 'normal()'", ["\"w\"", "unstack", "2"]),
        ("rows = { 12 = 'zeros' }\ninit = 'normal()'", ["\"w\"", "row", "12"]),
    ] {
        rule(text).rule_error(1, &words);
    }
}

/// A padding row that is counted from the end, and rows of a copy.
#[test]
fn rows_from_the_end() {
    let made = Job::new(&[("emb.weight", &[32, 16])])
        .rules("[[rule]]\nmatch = '*'\ninit = 'normal()'\nrows = { -1 = 'zeros', 0 = 'ones' }\n")
        .init();
    assert_eq!(made.rows("emb.weight", 31..32), [0.0; 16]);
    assert_eq!(made.rows("emb.weight", 0..1), [1.0; 16]);
    has_law("the other rows", &made.rows("emb.weight", 1..31), 0.0, 1.0);

    let source = Tensor::arbitrary("emb.weight", Dtype::F32, &[32, 16]);
    let made = Job::file(std::slice::from_ref(&source))
        .rules("[[rule]]\nmatch = '*'\ncopy = true\nrows = { 2 = 'zeros' }\n")
        .init();
    let mut right = source.bytes.clone();
    right[2 * 64..3 * 64].fill(0);
    assert!(made.data("emb.weight") == right);
}

// ---- Fans ----

/// Explicit fans may be expressions; the one that is not given stays as it was.
#[test]
fn explicit_fans() {
    for (fans, std) in [
        ("fans = { in = 'd0*d1', out = 10 }", (2.0 / (48.0 + 10.0_f64)).sqrt()),
        ("fans = { out = 10 }", (2.0 / (12.0 + 10.0_f64)).sqrt()),
        ("fans = { in = 'fan_in/4' }", (2.0 / (3.0 + 4.0_f64)).sqrt()),
    ] {
        Job::new(&[("w", &[4, 12])])
            .rules(&format!("[[rule]]\nmatch = '*'\ninit = 'xavier_normal'\n{fans}\n"))
            .planned("w", 0.0, std);
    }
}

/// The layout [height, width, in, out] of Keras and JAX.
#[test]
fn in_out_of_a_convolution() {
    let job = Job::new(&[("conv.kernel", &[3, 3, 16, 32])])
        .rules("[[rule]]\nmatch = '*'\nlayout = 'in_out'\ninit = 'kaiming_uniform'\n");
    job.law(&job.init(), "conv.kernel", 0.0, (2.0 / 144.0_f64).sqrt());
}

/// An initialiser with fans, on a vector, takes the fans of the sibling that `of` names.
#[test]
fn fans_of_a_sibling() {
    let job = Job::new(&[
        ("fc.weight", &[256, 784]),
        ("fc.bias", &[256]),
        ("fc/kernel", &[9, 9]),
        ("fc/bias", &[9]),
    ])
    .rules(
        r#"
            [[rule]]
            match = "fc/bias"
            of = ".kernel"
            init = "uniform(-1/sqrt(fan_in), 1/sqrt(fan_in))"

            [[rule]]
            match = "*.bias"
            of = ".weight"
            init = "xavier_normal"

            [[rule]]
            match = "*"
            init = "xavier_normal"
            "#,
    );
    job.law(&job.init(), "fc.bias", 0.0, (2.0 / 1040.0_f64).sqrt());
    job.planned("fc/bias", 0.0, 1.0 / 27_f64.sqrt());
}

/// A sibling that is not in the model.
#[test]
fn fans_of_nothing() {
    Job::new(&[("fc.bias", &[256])])
        .rules("[[rule]]\nmatch = '*'\nof = '.weight'\ninit = 'xavier_normal'\n")
        .rule_error(1, &["\"fc.bias\"", "\"fc.weight\""]);
}

// ---- Expressions ----

/// A scale that grows with the depth, by the number of the layer.
#[test]
fn captures_are_variables() {
    let job = Job::new(&[("h.0.w", &[64, 64]), ("h.3.w", &[64, 64])])
        .rules("[[rule]]\nmatch = 'h.<layer>.w'\ninit = 'normal(std=0.02/sqrt(2*(layer + 1)))'\n");
    let made = job.init();
    job.law(&made, "h.0.w", 0.0, 0.02 / 2_f64.sqrt());
    job.law(&made, "h.3.w", 0.0, 0.02 / 8_f64.sqrt());
}

/// Every function, operator and constant of expressions, in the spellings of Python too.
#[test]
fn expressions() {
    let pi = std::f64::consts::PI;
    for (expression, right) in [
        ("2^3 + 2**2", 12.0),
        ("pow(2, 3) - 1", 7.0),
        ("min(d0, d1) + max(d0, d1)", 20.0),
        ("rank", 2.0),
        ("math.sqrt(16) * np.abs(-2)", 8.0),
        ("floor(1.5) + ceil(1.5) + torch.round(2.25)", 5.0),
        ("log(exp(2)) + log2(8) + log10(100)", 7.0),
        ("math.pi", pi),
        ("e^1", std::f64::consts::E),
        ("1 + sin(0) + tanh(0) - cos(0) + 0.5", 0.5),
        ("(fan_in - fan_out) / 2", 4.0),
        ("nn.init.calculate_gain('relu')", 2_f64.sqrt()),
    ] {
        Job::new(&[("w", &[6, 14])])
            .rules(&format!("[[rule]]\nmatch = '*'\ninit = \"normal(std={expression})\"\n"))
            .planned("w", 0.0, right);
    }
}

/// Initialisers as they stand in Python.
#[test]
fn pasted_from_python() {
    for (pasted, std) in [
        ("torch.nn.init.normal_(self.fc.weight, mean=0.0, std=0.02)", 0.02),
        (
            "nn.init.xavier_uniform_(m.weight, gain=nn.init.calculate_gain('relu'))",
            2.0 * (1.0 / 128_f64).sqrt(),
        ),
        ("init.kaiming_normal_(m.weight, mode='fan_out', nonlinearity='relu')", (2.0 / 64.0_f64).sqrt()),
        ("nn.init.constant_(m.weight, 0.25)", 0.0),
        ("nn.init.trunc_normal_(w, std=.02, a=-math.inf, b=math.inf)", 0.02),
    ] {
        Job::new(&[("w", &[64, 64])])
            .rules(&format!("[[rule]]\nmatch = '*'\ninit = \"{pasted}\"\n"))
            .planned("w", if pasted.contains("constant") { 0.25 } else { 0.0 }, std);
    }
}

/// `count` counts different values, and not the highest.
#[test]
fn counts() {
    Job::new(&[("h.0.w", &[8, 8]), ("h.7.w", &[8, 8]), ("h.11.w", &[8, 8]), ("h.11.v", &[8, 8])])
        .rules(
            "[let]\nlayers = 'count(layer)'\n[[rule]]\nmatch = 'h.<layer>.*'\ninit = 'normal(std=layers)'\n",
        )
        .planned("h.7.w", 0.0, 3.0);
}

/// A match may be a list of globs, and look at the rank.
#[test]
fn matches() {
    let job = Job::new(&[("a.w", &[2, 2]), ("b.w", &[2]), ("c.w", &[2]), ("d.w", &[2, 2, 2])]).rules(
        r#"
        [[rule]]
        match = ["a.*", "c.*", "nothing.*"]
        init = "constant(1)"

        [[rule]]
        match = "*"
        max_rank = 1
        init = "constant(2)"

        [[rule]]
        match = "*"
        rank = 3
        init = "constant(3)"
        "#,
    );
    let made = job.init();
    for (name, value) in [("a.w", 1.0), ("b.w", 2.0), ("c.w", 1.0), ("d.w", 3.0)] {
        made.constant(name, value);
    }
}

/// Mistakes in expressions and names.
#[test]
fn expressions_with_mistakes() {
    let job = |rules: &str| Job::new(&[("h.0.w", &[8, 8])]).rules(rules);
    job("[[rule]]\nmatch = '*'\ninit = 'normal(std=0.02/sqrt(layer))'\n").rule_error(1, &["layer", "fan_in"]);
    job("[let]\nscale = 0.1\n[[rule]]\nmatch = 'h.<block>.w'\ninit = 'normal(std=scales)'\n")
        .rule_error(1, &["scales", "scale", "block", "fan_in", "d0"]);
    job("[let]\na = 'b + 1'\nb = 'a + 1'\n[[rule]]\nmatch = '*'\ninit = 'normal(std=a)'\n").error(&[
        "rules.toml",
        "itself",
        "a",
        "b",
    ]);
    job("[let]\na = 'count(layer)'\n[[rule]]\nmatch = '*'\ninit = 'normal(std=a)'\n")
        .error(&["rules.toml", "layer"]);
    job("[[rule]]\nmatch = '*'\ninit = 'normal(std=1/0)'\n").error(&["rules.toml", "rule 1", "inf"]);
    job("[[rule]]\nmatch = '*'\ninit = 'normal(std=log(0-1))'\n").error(&["rules.toml", "rule 1", "NaN"]);
    job("[[rule]]\nmatch = '*'\ninit = 'normal(std=2*)'\n").error(&["rules.toml", "rule 1", "line 3"]);
    job("[[rule]]\nmatch = '*'\ntie = 'h.<layer>.v'\n").error(&["rules.toml", "rule 1", "layer"]);
    job("[[rule]]\nmatch = 'h.<i>.w'\ninit = 'zeros'\n").error(&["rules.toml", "rule 1", "<i>"]);
    job("[[rule]]\nmatch = '*'\ninit = 'zeros'\ncopy = true\n").error(&[
        "rules.toml",
        "rule 1",
        "init",
        "copy",
    ]);
    job("[[rule]]\nmatch = '*'\ncopy = true\nsplit = { axis = 0, into = 2 }\n").error(&[
        "rules.toml",
        "rule 1",
        "split",
    ]);
}

// ---- Formulas ----

/// Integers by rule: an arange, formulas and constants.
#[test]
fn integers() {
    let job = Job::typed(&[
        ("position_ids", "I64", &[1, 16]),
        ("steps", "I32", &[4]),
        ("offsets", "I64", &[2, 3]),
        ("codes", "U8", &[4]),
        ("mask", "BOOL", &[3, 3]),
        ("flags", "BOOL", &[2]),
        ("count", "I64", &[]),
    ])
    .rules(
        r#"
        [[rule]]
        match = "position_ids"
        init = "arange()"

        [[rule]]
        match = "steps"
        init = "arange(start=5, step=-2)"

        [[rule]]
        match = "offsets"
        init = "formula(\"10*i0 + i1 + d1\")"

        [[rule]]
        match = "codes"
        init = "formula(\"255 - i\")"

        [[rule]]
        match = "mask"
        init = "formula(\"max(0, 1 - max(0, i1 - i0))\")"

        [[rule]]
        match = "flags"
        init = "ones"

        [[rule]]
        match = "count"
        init = "constant(7)"
        "#,
    );
    let made = job.init();
    assert_eq!(made.values("position_ids"), (0..16).map(f64::from).collect::<Vec<_>>());
    assert_eq!(made.values("steps"), [5.0, 3.0, 1.0, -1.0]);
    assert_eq!(made.values("offsets"), [3.0, 4.0, 5.0, 13.0, 14.0, 15.0]);
    assert_eq!(made.values("codes"), [255.0, 254.0, 253.0, 252.0]);
    assert_eq!(made.values("mask"), [1., 0., 0., 1., 1., 0., 1., 1., 1.]);
    assert_eq!(made.values("flags"), [1.0, 1.0]);
    assert_eq!(made.values("count"), [7.0]);
}

/// Integers take what is whole and in their range, and no noise.
#[test]
fn integers_out_of_range() {
    let job = |dtype: &str, init: &str| {
        Job::typed(&[("w", dtype, &[4])]).rules(&format!("[[rule]]\nmatch = '*'\ninit = '{init}'\n"))
    };
    job("U8", "formula(\"100*i\")").init_error(&["\"w\"", "300", "U8"]);
    job("U8", "formula(\"0 - i\")").init_error(&["\"w\"", "-1", "U8"]);
    job("I64", "formula(\"i/2\")").init_error(&["\"w\"", "0.5", "I64"]);
    job("BOOL", "arange()").init_error(&["\"w\"", "2", "BOOL"]);
    job("U8", "constant(256)").init_error(&["\"w\"", "256", "U8"]);
    job("I64", "normal()").error(&["\"w\"", "I64", "copy", "skip"]);
}

/// Mamba's A_log and dt_bias, whose values the paper prescribes.
#[test]
fn mambas_vectors() {
    let job = Job::new(&[("mixer.A_log", &[8, 16]), ("mixer.dt_proj.bias", &[512]), ("mixer.D", &[8])])
        .rules(
            r#"
        [let]
        low = "log(0.001)"
        high = "log(0.1)"

        [[rule]]
        match = "*.A_log"
        init = 'formula("log(1 + i1)")'

        [[rule]]
        match = "*.dt_proj.bias"
        init = 'formula("log(exp(exp(low + u*(high - low))) - 1)")'

        [[rule]]
        match = "*.D"
        init = "ones"
        "#,
        );
    let made = job.init();
    for (i, value) in made.values("mixer.A_log").into_iter().enumerate() {
        let right = (1.0 + (i % 16) as f64).ln();
        assert!((value - right).abs() <= 1e-7 * right, "{i}: {value}, not {right}");
    }
    // The logarithm of the step size, softplus(bias), is uniform.
    let steps: Vec<f64> =
        made.values("mixer.dt_proj.bias").iter().map(|bias| bias.exp().ln_1p().ln()).collect();
    let (low, high) = (0.001_f64.ln(), 0.1_f64.ln());
    assert!(steps.iter().all(|step| (low - 1e-4..high + 1e-4).contains(step)), "{steps:?}");
    has_law("the steps", &steps, (low + high) / 2.0, (high - low) / 12_f64.sqrt());
    made.constant("mixer.D", 1.0);
}

/// A formula of the element's uniform or of its normal, but not of both.
#[test]
fn formulas_of_noise() {
    let job = |formula: &str| {
        Job::new(&[("w", &[64, 64])])
            .rules(&format!("[[rule]]\nmatch = '*'\ninit = 'formula(\"{formula}\")'\n"))
    };
    has_law("uniform", &job("2*u - 1").init().values("w"), 0.0, 1.0 / 3_f64.sqrt());
    has_law("normal", &job("3 + 0.5*n").init().values("w"), 3.0, 0.5);
    job("u + n").error(&["rules.toml", "rule 1", "u", "n"]);
    job("i2").rule_error(1, &["i2", "i1"]);
    job("1/i").init_error(&["\"w\"", "inf"]);
}

/// weight_norm: the norm of each row of the direction, of made, copied and rounded values.
#[test]
fn weight_norm() {
    let direction = "conv.weight_v";
    let values = (0..96).map(|i| i as f32 - 40.5);
    let source = Tensor::f32(direction, &[8, 4, 3], values);
    for (dtype, outcome) in
        [("F32", "init = 'normal()'"), ("BF16", "init = 'normal()'"), ("F32", "copy = true")]
    {
        let job = Job::typed(&[("conv.weight_g", "F32", &[8, 1, 1]), (direction, dtype, &[8, 4, 3])])
            .rules(&format!(
                "[[rule]]\nmatch = '*.weight_g'\ninit = 'norm(of=\".weight_v\", axis=0)'\n\
                 [[rule]]\nmatch = '*.weight_v'\n{outcome}\n"
            ))
            .from(std::slice::from_ref(&source));
        let made = job.init();
        for (row, norm) in made.values("conv.weight_g").into_iter().enumerate() {
            let right = made.rows(direction, row..row + 1).iter().map(|v| v * v).sum::<f64>().sqrt();
            assert!((norm - right).abs() <= 1e-7 * right, "row {row}: {norm}, not {right}");
        }
    }
    Job::new(&[("conv.weight_g", &[8, 1, 1]), (direction, &[7, 4, 3])])
        .rules(
            "[[rule]]\nmatch = '*_g'\ninit = 'norm(of=\".weight_v\",axis=0)'\n\
             [[rule]]\nmatch = '*'\ninit = 'ones'\n",
        )
        .rule_error(1, &["conv.weight_g", "7", "8"]);
}

// ---- JAX and Keras ----

/// JAX's orthogonal makes the columns along `column_axis` orthonormal.
#[test]
fn jax_orthogonal() {
    let made = |shape: &[u64], init: &str| {
        Job::new(&[("w", shape)])
            .rules(&format!("[[rule]]\nmatch = '*'\ninit = '{init}'\n"))
            .init()
            .values("w")
    };
    // The last axis, by default.
    is_orthogonal("default", &made(&[6, 4, 8], "jax::orthogonal()"), [24, 8], 1.0);
    is_orthogonal("axis 0", &made(&[4, 6, 8], "jax::orthogonal(column_axis=0)"), [4, 48], 1.0);
    is_orthogonal("scale", &made(&[8, 8], "jax::orthogonal(scale=3)"), [8, 8], 3.0);
}

/// JAX's delta_orthogonal is an orthogonal matrix in the middle of the kernel, and zeros around it.
#[test]
fn jax_delta_orthogonal() {
    let rules = "[[rule]]\nmatch = '*'\ninit = 'jax::delta_orthogonal()'\n";
    let values = Job::new(&[("w", &[3, 3, 8, 16])]).rules(rules).init().values("w");
    let (middle, matrix) = (4 * 128..5 * 128, [8, 16]);
    is_orthogonal("the middle", &values[middle.clone()], matrix, 1.0);
    assert!(values.iter().enumerate().all(|(i, &value)| middle.contains(&i) || value == 0.0));
    Job::new(&[("w", &[3, 3, 16, 8])]).rules(rules).error(&["\"w\"", "16", "8"]);
}

// ---- Tensors that are kept ----

const COPY: &str = "[[rule]]\nmatch = '*'\ncopy = true\n";

/// Every element type can be copied, byte for byte, and keeps its type.
#[test]
fn every_type_is_copied() {
    let types = [
        Dtype::F8_E4M3,
        Dtype::F8_E5M2,
        Dtype::C64,
        Dtype::BOOL,
        Dtype::U8,
        Dtype::I8,
        Dtype::I16,
        Dtype::U64,
        Dtype::I64,
        Dtype::F64,
        Dtype::F16,
        Dtype::BF16,
        Dtype::F32,
    ];
    let tensors: Vec<_> =
        types.iter().map(|dtype| Tensor::arbitrary(&format!("{dtype:?}"), *dtype, &[3, 5])).collect();
    for job in [Job::file(&tensors), Job::file(&tensors).option("--dtype", "bf16")] {
        let made = job.rules(COPY).init();
        assert_eq!(made.names().len(), types.len());
        tensors.iter().for_each(|tensor| made.copied(tensor));
    }
}

/// F64 can be copied and skipped, and not made.
#[test]
fn doubles_are_refused() {
    let job = || Job::typed(&[("w", "F64", &[4, 4])]);
    job().error(&["model.json", "\"w\"", "F64", "--dtype", "copy"]);
    let made = job().option("--dtype", "f32").init();
    assert_eq!(made.tensor("w").dtype, Dtype::F32);
}

/// A parameter may be copied from another name.
#[test]
fn copies_of_another_name() {
    let source = [
        Tensor::arbitrary("bert.h.0.LayerNorm.gamma", Dtype::F32, &[8]),
        Tensor::arbitrary("bert.h.1.LayerNorm.gamma", Dtype::F32, &[8]),
        Tensor::arbitrary("fc.old", Dtype::F32, &[4]),
    ];
    let made = Job::new(&[("h.0.LayerNorm.weight", &[8]), ("h.1.LayerNorm.weight", &[8]), ("fc.new", &[4])])
        .rules(
            r#"
            [[rule]]
            match = "h.<layer>.LayerNorm.weight"
            copy = "bert.h.<layer>.LayerNorm.gamma"

            [[rule]]
            match = "fc.new"
            copy = ".old"
            "#,
        )
        .from(&source)
        .init();
    assert_eq!(made.data("h.0.LayerNorm.weight"), source[0].bytes);
    assert_eq!(made.data("h.1.LayerNorm.weight"), source[1].bytes);
    assert_eq!(made.data("fc.new"), source[2].bytes);
}

/// A copy needs a source that has the tensor, of the same shape and type.
#[test]
fn copies_that_do_not_fit() {
    let job = |source: &[Tensor]| Job::new(&[("w", &[4, 4])]).rules(COPY).from(source);
    job(&[Tensor::arbitrary("v", Dtype::F32, &[4, 4])]).error(&["source.safetensors", "\"w\""]);
    job(&[Tensor::arbitrary("w", Dtype::F32, &[4, 5])]).error(&[
        "source.safetensors",
        "\"w\"",
        "[4, 5]",
        "[4, 4]",
    ]);
    job(&[Tensor::arbitrary("w", Dtype::F16, &[4, 4])]).error(&["source.safetensors", "\"w\"", "F16", "F32"]);
    // A manifest has no data.
    Job::new(&[("w", &[4, 4])]).rules(COPY).error(&["model.json", "\"w\"", "--from"]);
}

/// A vocabulary that grew, in BF16. The new rows are those of the whole tensor.
#[test]
fn grown_in_bf16() {
    let old = Tensor::arbitrary("wte.weight", Dtype::BF16, &[4, 8]);
    let grown: [(&str, &str, &[u64]); 1] = [("wte.weight", "BF16", &[6, 8])];
    let made = Job::typed(&grown).rules(GROW).from(std::slice::from_ref(&old)).init();
    let whole = Job::typed(&grown).rules("[[rule]]\nmatch = '*'\ninit = 'normal(std=0.02)'\n").init();
    assert_eq!(made.tensor("wte.weight").dtype, Dtype::BF16);
    assert_eq!(made.row_bytes("wte.weight", 0..4), old.bytes);
    assert_eq!(made.row_bytes("wte.weight", 4..6), whole.row_bytes("wte.weight", 4..6));
}

/// A source may have as many rows, or fewer, and must have as many columns.
#[test]
fn sources_that_can_not_grow() {
    let job = |shape: &[usize]| {
        let old = Tensor::arbitrary("wte.weight", Dtype::F32, shape);
        Job::new(&[("wte.weight", &[6, 8])]).rules(GROW).from(&[old])
    };
    job(&[7, 8]).error(&["source.safetensors", "\"wte.weight\"", "[7, 8]", "[6, 8]"]);
    job(&[4, 9]).error(&["source.safetensors", "\"wte.weight\"", "[4, 9]", "[6, 8]"]);
    let same = job(&[6, 8]).init();
    same.copied(&Tensor::arbitrary("wte.weight", Dtype::F32, &[6, 8]));
}

/// A copy from a folder of shards.
#[test]
fn copies_from_shards() {
    let ([first, second], index) = shards();
    let job = Job::new(&[("a.weight", &[16, 8]), ("b.bias", &[8])]).rules(COPY);
    let source = job.folder.path("old");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("model-00001-of-00002.safetensors"), safetensors(&first, &[])).unwrap();
    fs::write(source.join("model-00002-of-00002.safetensors"), safetensors(&second, &[])).unwrap();
    fs::write(source.join("model.safetensors.index.json"), index).unwrap();
    let made = job.option("--from", source.to_str().unwrap()).init();
    made.copied(&first[0]);
    made.copied(&second[1]);
}

/// The metadata of the source are kept beside those of the program.
#[test]
fn metadata_are_kept() {
    let bytes = safetensors(&backbone(), &[("format", "pt"), ("author", "somebody")]);
    let metadata = Job::bytes(&bytes).rules(COPY).init().metadata();
    assert_eq!((metadata["format"].as_str(), metadata["author"].as_str()), ("pt", "somebody"));
    assert_eq!(metadata["seedbed.seed"], "0");
}

/// A source is replaced only where the user says so.
#[test]
fn a_source_that_is_the_target() {
    let head = [
        Tensor::arbitrary("classifier.weight", Dtype::F32, &[3, 64]),
        Tensor::arbitrary("classifier.bias", Dtype::F32, &[3]),
    ];
    let tensors = [&backbone()[..], &head].concat();
    let job = Job::file(&tensors).rules(NEW_HEAD);
    let before = fs::read(&job.model).unwrap();
    let output = job.run_init(&job.model);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let lines = lines(&output);
    assert!(
        lines.len() == 1 && lines[0].contains("model.safetensors") && lines[0].contains("--in-place"),
        "{lines:?}"
    );
    assert!(fs::read(&job.model).unwrap() == before);

    let job = job.init_option(&["--in-place"]);
    let output = job.run_init(&job.model);
    assert!(output.status.success(), "{output:?}");
    let made = Made::read(&job.model);
    backbone().iter().for_each(|tensor| made.copied(tensor));
    has_law("classifier.weight", &made.values("classifier.weight"), 0.0, 0.02);
    assert_eq!(job.folder.names(), ["model.safetensors", "rules.toml"]);
}

// ---- Ties ----

/// A chain of ties ends at what is made.
#[test]
fn ties_in_a_chain() {
    let shape: &[u64] = &[8, 4];
    let made = Job::new(&[("a.w", shape), ("b.w", shape), ("c.w", shape), ("c.v", shape)])
        .rules(
            r#"
            [[rule]]
            match = "a.w"
            tie = "b.w"

            [[rule]]
            match = "b.w"
            tie = "c.w"

            [[rule]]
            match = "c.v"
            tie = ".w"

            [[rule]]
            match = "*"
            init = "normal()"
            "#,
        )
        .init();
    ["a.w", "b.w", "c.v"].iter().for_each(|name| made.same(name, "c.w"));
}

/// Ties that lead nowhere.
#[test]
fn ties_that_can_not_be() {
    let job = |rules: &str| Job::new(&[("a.w", &[8, 4]), ("b.w", &[8, 4]), ("c.w", &[4, 8])]).rules(rules);
    let cycle = "[[rule]]\nmatch = 'a.w'\ntie = 'b.w'\n[[rule]]\nmatch = 'b.w'\ntie = 'a.w'\n";
    job(&format!("{cycle}[[rule]]\nmatch = '*'\ninit = 'ones'\n")).error(&[
        "rules.toml",
        "itself",
        "a.w",
        "b.w",
    ]);
    job("[[rule]]\nmatch = 'a.w'\ntie = 'b.ww'\n[[rule]]\nmatch = '*'\ninit = 'ones'\n")
        .rule_error(1, &["\"a.w\"", "\"b.ww\""]);
    job("[[rule]]\nmatch = 'a.w'\ntie = 'c.w'\n[[rule]]\nmatch = '*'\ninit = 'ones'\n")
        .rule_error(1, &["\"a.w\"", "\"c.w\"", "[8, 4]", "[4, 8]"]);
}

// ---- Files ----

/// Bytes after the data do not matter, unless the data do.
#[test]
fn trailing_bytes() {
    let bytes = [safetensors(&backbone(), &[]), b"trailing".to_vec()].concat();
    let job = Job::bytes(&bytes);
    job.warning(&["model.safetensors", "8"]);
    let made = job.init();
    made.constant("backbone.bias", 0.0);
    Job::bytes(&bytes).rules(COPY).init_error(&["model.safetensors", "8"]);
}

/// An index whose shards are not there.
#[test]
fn an_index_without_files() {
    Job::with("model.safetensors.index.json", shards().1)
        .error(&["model.safetensors.index.json", "model-00001-of-00002.safetensors"]);
}

/// Hugging Face's configuration, which has no shapes.
#[test]
fn a_configuration_alone() {
    let config = r#"{"model_type": "gpt2", "n_layer": 2, "initializer_range": 0.02}"#;
    Job::with("config.json", config).error(&["config.json", "safetensors"]);
    Job::with("config.json", config).of_the_folder().error(&["config.json", "safetensors"]);
}

const GPT2: [(&str, &[u64]); 4] = [
    ("wte.weight", &[64, 32]),
    ("h.0.ln_1.weight", &[32]),
    ("h.0.ln_1.bias", &[32]),
    ("h.0.attn.c_attn.weight", &[32, 96]),
];

/// A folder whose config.json says what the model is.
fn folder_of_gpt2(config: &str) -> Job {
    let job = Job::new(&GPT2);
    let source = job.folder.path("gpt2.safetensors");
    assert!(job.run_init(&source).status.success());
    let bytes = fs::read(&source).unwrap();
    fs::remove_file(source).unwrap();
    Job::bytes(&bytes).beside("config.json", config).of_the_folder()
}

/// The configuration beside the model chooses the preset, and gives it its numbers.
#[test]
fn a_configuration_beside_the_model() {
    let job = folder_of_gpt2(r#"{"model_type": "gpt2", "n_layer": 1, "initializer_range": 0.05}"#);
    let made = job.init();
    assert!(
        made.stderr.iter().any(|line| line.contains("preset") && line.contains("gpt2")),
        "{:?}",
        made.stderr
    );
    job.law(&made, "wte.weight", 0.0, 0.05);
    made.constant("h.0.ln_1.weight", 1.0);
    assert_eq!(job.row("wte.weight")["preset"], "gpt2");

    // The framework's default, where the configuration says nothing.
    folder_of_gpt2(r#"{"model_type": "gpt2"}"#).planned("wte.weight", 0.0, 0.02);
    // Rules that the user names go first.
    let rules = "[let]\nrange = { config = 'initializer_range', default = 0.02 }\n\
                 [[rule]]\nmatch = '*'\ninit = 'normal(std=2*range)'\n";
    folder_of_gpt2(r#"{"model_type": "gpt2", "initializer_range": 0.05}"#).rules(rules).planned(
        "wte.weight",
        0.0,
        0.1,
    );
    Job::new(&GPT2).rules(rules).planned("wte.weight", 0.0, 0.04);
}

/// The rules of a file go before those of the preset.
#[test]
fn own_rules_before_a_preset() {
    let own = "[[rule]]\nmatch = 'wte.weight'\ninit = 'normal(std=0.5)'\n";
    for job in [
        Job::new(&GPT2).rules(own).option("--preset", "gpt2"),
        Job::new(&GPT2).rules(&format!("preset = 'gpt2'\n{own}")),
    ] {
        job.planned("wte.weight", 0.0, 0.5);
        job.planned("h.0.attn.c_attn.weight", 0.0, 0.02);
        assert_eq!(job.row("wte.weight")["preset"], "own");
        assert_eq!(job.row("h.0.ln_1.weight")["preset"], "gpt2");
    }
    assert_eq!(Job::new(&GPT2).row("wte.weight")["preset"], "default");
}

/// A preset names what it does not know.
#[test]
fn a_preset_does_not_guess() {
    Job::new(&[("h.0.attn.c_attn.weight", &[32, 96]), ("h.0.adapter.up", &[32, 8])])
        .option("--preset", "gpt2")
        .error(&["model.json", "h.0.adapter.up"]);
    let output = Job::new(&GPT2).option("--preset", "gpt3").run_plan();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("gpt2"), "{output:?}");
}

/// The spellings of torch, and a manifest without the outer object.
#[test]
fn spellings_of_manifests() {
    let job =
        Job::typed(&[("w", "torch.bfloat16", &[4, 4]), ("v", "float32", &[4, 4]), ("u", "F16", &[4, 4])]);
    let made = job.init();
    for (name, dtype) in [("w", Dtype::BF16), ("v", Dtype::F32), ("u", Dtype::F16)] {
        assert_eq!(made.tensor(name).dtype, dtype);
    }
    let flat = r#"{"w": {"shape": [4, 4], "dtype": "float16"}}"#;
    assert_eq!(Job::with("flat.json", flat).init().tensor("w").dtype, Dtype::F16);
}

// ---- Shards ----

const SHARDED: [(&str, &[u64]); 5] = [
    ("a.weight", &[8, 8]),
    ("b.weight", &[16, 32]),
    ("c.weight", &[8, 8]),
    ("d.weight", &[9, 8]),
    ("e.bias", &[8]),
];

/// The names of the shards in a folder.
fn shards_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name.ends_with(".safetensors"));
    names.sort();
    names
}

/// Small shards hold the tensors of one file, and an index names them.
#[test]
fn output_in_shards() {
    const SIZE: usize = 600;
    let job = Job::new(&SHARDED);
    let whole = job.init();
    let folder = job.folder.path("shards/");
    let job = job.init_option(&["--max-shard-size", "600"]);
    let output = job.run_init(&folder);
    assert!(output.status.success(), "{output:?}");

    let names = shards_in(&folder);
    assert!(names.len() > 2, "{names:?}");
    let index: Value =
        serde_json::from_slice(&fs::read(folder.join("model.safetensors.index.json")).unwrap()).unwrap();
    let map: HashMap<String, String> = serde_json::from_value(index["weight_map"].clone()).unwrap();
    assert_eq!(map.len(), SHARDED.len());
    let total: usize = SHARDED.iter().map(|(_, shape)| 4 * shape.iter().product::<u64>() as usize).sum();
    assert_eq!(index["metadata"]["total_size"], total);
    for (number, name) in names.iter().enumerate() {
        assert_eq!(*name, format!("model-{:05}-of-{:05}.safetensors", number + 1, names.len()));
        let made = Made::read(&folder.join(name));
        let tensors = made.names();
        let bytes: usize = tensors.iter().map(|tensor| made.data(tensor).len()).sum();
        assert!(bytes <= SIZE || tensors.len() == 1, "{name} has {bytes} bytes: {tensors:?}");
        for tensor in tensors {
            assert!(made.data(&tensor) == whole.data(&tensor), "{tensor}");
            assert_eq!(map[&tensor], *name);
        }
    }
    assert_eq!(shards_in(&folder), names);

    // The shards are a model, with the same tensors again.
    let again = Job::new(&[]).model(&folder).init();
    assert_eq!(again.names(), whole.names());
}

/// A model that fits one shard has no index.
#[test]
fn output_in_one_shard() {
    let job = Job::new(&SHARDED);
    let whole = job.init();
    // An existing folder needs no slash.
    let folder = job.folder.path("shards");
    fs::create_dir(&folder).unwrap();
    assert!(job.run_init(&folder).status.success());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    let made = Made::read(&folder.join("model.safetensors"));
    whole.names().iter().for_each(|name| assert!(made.data(name) == whole.data(name), "{name}"));
}

/// A rerun after a fault completes the folder, and does not make what is there.
#[test]
fn a_rerun_completes_the_folder() {
    let job = Job::new(&SHARDED).init_option(&["--max-shard-size", "600"]);
    let folder = job.folder.path("shards/");
    assert!(job.run_init(&folder).status.success());
    let names = shards_in(&folder);
    let read = || -> Vec<_> { names.iter().map(|name| fs::read(folder.join(name)).unwrap()).collect() };
    let times = || -> Vec<_> {
        names.iter().map(|name| fs::metadata(folder.join(name)).unwrap().modified().unwrap()).collect()
    };
    let (before, modified) = (read(), times());
    fs::remove_file(folder.join(&names[1])).unwrap();
    fs::remove_file(folder.join("model.safetensors.index.json")).unwrap();
    // Some file systems count whole seconds or two.
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(job.run_init(&folder).status.success());
    assert!(read() == before);
    assert!(folder.join("model.safetensors.index.json").is_file());
    for (number, (old, new)) in modified.iter().zip(times()).enumerate() {
        assert_eq!(*old == new, number != 1, "shard {}", number + 1);
    }

    // Shards of another plan are not kept.
    let job = job.init_option(&["--seed", "1"]);
    assert!(job.run_init(&folder).status.success());
    assert!(read().iter().zip(&before).all(|(new, old)| new != old));
}

// ---- verify ----

fn verify(path: &Path) -> (Option<i32>, String, Vec<String>) {
    let output = on_the_host(&[OsStr::new("verify"), path.as_os_str()]);
    (output.status.code(), text(&output.stdout), lines(&output))
}

/// A job with one tensor of every kind that can be made.
fn every_kind() -> Job {
    let source =
        [Tensor::arbitrary("kept", Dtype::I64, &[5]), Tensor::arbitrary("grown", Dtype::F32, &[3, 4])];
    Job::typed(&[
        ("kept", "I64", &[5]),
        ("grown", "F32", &[6, 4]),
        ("w", "F32", &[4, 3]),
        ("tied", "F32", &[4, 3]),
        ("fused", "BF16", &[6, 3]),
        ("experts", "F16", &[2, 4, 3]),
        ("ids", "I64", &[7]),
        ("noise", "F32", &[9]),
        ("weight_v", "F32", &[4, 3]),
        ("weight_g", "F32", &[4, 1]),
        ("padded", "F32", &[4, 3]),
    ])
    .rules(
        r#"
        [[rule]]
        match = "kept"
        copy = true

        [[rule]]
        match = "grown"
        copy = true
        grow = "normal(std=0.02)"

        [[rule]]
        match = "tied"
        tie = "w"

        [[rule]]
        match = "fused"
        split = { axis = 0, into = 2 }
        names = ["q", "k"]
        init = ["orthogonal", "xavier_normal"]

        [[rule]]
        match = "experts"
        unstack = 0
        init = "xavier_normal"

        [[rule]]
        match = "ids"
        init = "arange()"

        [[rule]]
        match = "noise"
        init = 'formula("exp(u) + i")'

        [[rule]]
        match = "weight_g"
        init = 'norm(of="weight_v", axis=0)'

        [[rule]]
        match = "padded"
        init = "normal()"
        rows = { -1 = "zeros" }

        [[rule]]
        match = "*"
        init = "xavier_normal"
        "#,
    )
    .from(&source)
}

/// The line of `verify` about a tensor.
fn line_of<'a>(report: &'a str, name: &str) -> &'a str {
    let found = report
        .lines()
        .find(|line| line.split_whitespace().any(|word| word.trim_matches(['"', ':', ',']) == name));
    found.unwrap_or_else(|| panic!("{name} is not in: {report}"))
}

/// A file is made again from its own metadata.
#[test]
fn a_file_as_initialised() {
    let job = every_kind().init_option(&["--seed", "7"]);
    let made = job.init();
    // The file alone is enough.
    let folder = Folder::new();
    let file = folder.write("file.safetensors", &made.bytes);
    let (code, report, errors) = verify(&file);
    assert_eq!((code, errors.len()), (Some(0), 0), "{report} {errors:?}");
    assert!(line_of(&report, "kept").contains("copied"), "{report}");
    for name in ["w", "tied", "fused", "experts", "ids", "noise", "weight_v", "weight_g", "padded"] {
        assert!(line_of(&report, name).contains("as initialised"), "{name}: {report}");
    }
}

/// One byte that was changed.
#[test]
fn a_file_that_differs() {
    let job = every_kind();
    let mut bytes = job.init().bytes;
    let made = Made { bytes: bytes.clone(), stderr: vec![] };
    // The element 7 of [4, 3] is [2, 1].
    let data = made.data("padded");
    let start = bytes.windows(data.len()).position(|window| window == data).unwrap();
    let first = start + 4 * 7;
    bytes[first] ^= 1;
    let file = job.folder.write("changed.safetensors", &bytes);
    let (code, report, _) = verify(&file);
    assert_eq!(code, Some(1), "{report}");
    let changed: Vec<_> = report.lines().filter(|line| line.contains("differs")).collect();
    assert!(changed.len() == 1 && changed[0].contains("padded"), "{report}");
    assert!(changed[0].contains("element 7") || changed[0].contains("[2, 1]"), "{report}");
}

/// A folder of shards is verified as a whole; a file of another program has no record.
#[test]
fn folders_and_files_without_record() {
    let job = Job::new(&SHARDED).init_option(&["--max-shard-size", "600"]);
    let folder = job.folder.path("shards/");
    assert!(job.run_init(&folder).status.success());
    let (code, report, _) = verify(&folder);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(
        report.lines().filter(|line| line.ends_with("as initialised")).count(),
        SHARDED.len(),
        "{report}"
    );

    let foreign = job.folder.write("foreign.safetensors", safetensors(&backbone(), &[("format", "pt")]));
    let (code, _, errors) = verify(&foreign);
    assert_eq!(code, Some(2));
    assert!(errors.len() == 1 && errors[0].contains("foreign.safetensors"), "{errors:?}");
}

// ---- Warnings ----

/// What is most likely a mistake is made, with a warning.
#[test]
fn warnings() {
    let job = |parameters: &[(&str, &[u64])], init: &str| {
        Job::new(parameters).rules(&format!("[[rule]]\nmatch = '*'\ninit = '{init}'\n"))
    };
    job(&[("experts.w1", &[8, 64, 256])], "xavier_normal").warning(&["experts.w1", "unstack"]);
    job(&[("w", &[8, 8])], "normal(std=0)").warning(&["\"w\"", "standard deviation of 0"]);
    job(&[("w", &[8, 8])], "trunc_normal(std=0.02)").warning(&["\"w\"", "cut"]);
    job(&[("fc.weight_scale_inv", &[8, 8])], "normal(std=0.02)").warning(&["fc.weight_scale_inv"]);
    Job::new(&[("w", &[8, 8])])
        .rules("[[rule]]\nmatch = 'v.*'\ninit = 'zeros'\n[[rule]]\nmatch = '*'\ninit = 'normal()'\n")
        .warning(&["rule 1", "v.*"]);
    // The rules of a preset are for any model of its kind.
    Job::new(&GPT2).option("--preset", "gpt2").no_warning();
    job(&[("w", &[8, 8])], "trunc_normal(std=0.02,a=-0.04,b=0.04)").no_warning();
    job(&[("experts.w1", &[8, 64, 256])], "normal(std=0.02)").no_warning();
}

/// The built-in rules refuse what they do not know, with a rule to paste.
#[test]
fn refusals_of_the_built_in_rules() {
    for (name, shape) in [
        ("vision.class_embedding", &[8][..]),
        ("logit_scale", &[]),
        ("conv.weight_g", &[8, 1]),
        ("mixer.A_log", &[8, 16]),
        ("mixer.dt_bias", &[8]),
        ("rotary.inv_freq", &[8]),
    ] {
        Job::new(&[(name, shape)]).error(&["model.json", name, "copy"]);
    }
    Job::new(&[("relative_table", &[8])]).error(&["model.json", "relative_table", "[[rule]]"]);
    // A manifest of another model works after all of that.
    let folder = Folder::new();
    let model = folder.write("model.json", manifest(&[("fc.weight", &[4, 4])]));
    succeed(&[&"plan", &model]);
}
