use super::*;
use crate::{Config, Maker, Segment};

fn parameter(name: &str, shape: &[u64]) -> Parameter {
    Parameter { name: name.into(), shape: shape.into(), dtype: Dtype::F32 }
}

fn model(parameters: &[(&str, &[u64])]) -> Model {
    Model::of_parameters(parameters.iter().map(|(name, shape)| parameter(name, shape)).collect()).unwrap()
}

fn rules(text: &str) -> Rules {
    Rules::parse(text, "r.toml").unwrap()
}

fn plan(text: &str, parameters: &[(&str, &[u64])]) -> Plan {
    Plan::new(&model(parameters), None, &rules(text), None).unwrap()
}

fn built_in(parameters: &[(&str, &[u64])]) -> Plan {
    Plan::new(&model(parameters), None, &Rules::built_in().unwrap(), None).unwrap()
}

fn descriptions(plan: &Plan) -> Vec<String> {
    plan.entries.iter().map(Entry::description).collect()
}

fn mistake(text: &str, parameters: &[(&str, &[u64])]) -> String {
    match Plan::new(&model(parameters), None, &rules(text), None) {
        Ok(plan) => plan.check().unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

fn bytes(tensor: &Tensor) -> Vec<u8> {
    let mut maker = Maker::new(7, None);
    let mut all = Vec::new();
    for Segment { source, elements } in tensor.content.segments() {
        let mut part = vec![0; 4 * (elements.end - elements.start) as usize];
        maker.make(tensor, source, elements, &mut part).unwrap();
        all.extend(part);
    }
    all
}

fn tensor<'a>(plan: &'a Plan, name: &str) -> &'a Tensor {
    let entry = plan.entries.iter().find(|entry| entry.parameter.name == name).unwrap();
    entry.outcome.tensor().unwrap_or_else(|| panic!("{}", entry.description()))
}

/// Names of checkpoints that people have reported as initialised wrongly, with the values of their frameworks.
#[test]
fn built_in_rules_know_the_names_of_frameworks() {
    let (zero, one) = ("constant(0)", "constant(1)");
    for (name, shape, init) in [
        // torch.nn.LSTM, GRU and RNN
        ("rnn.weight_ih_l0", &[32, 8][..], "xavier_normal(gain=1)"),
        ("rnn.bias_ih_l0", &[32], zero),
        ("rnn.bias_hh_l12", &[32], zero),
        ("rnn.bias_ih_l0_reverse", &[32], zero),
        ("cell.bias_ih", &[32], zero),
        // BERT as TensorFlow saved it, Keras, Flax
        ("bert.embeddings.LayerNorm.gamma", &[8], one),
        ("bert.embeddings.LayerNorm.beta", &[8], zero),
        ("encoder/layer_norm/scale", &[8], one),
        ("batch_normalization/moving_mean", &[8], zero),
        ("batch_normalization/moving_variance", &[8], one),
        // torch.nn.BatchNorm2d
        ("bn1.weight", &[8], one),
        ("bn1.bias", &[8], zero),
        ("bn1.running_mean", &[8], zero),
        ("bn1.running_var", &[8], one),
        ("attn.in_proj_bias", &[2304], zero),
        ("h.0.attn.c_attn.bias", &[24], zero),
        ("odd.bias", &[2, 2], zero),
        ("conv.weight", &[64, 3, 7, 7], "xavier_normal(gain=1)"),
        ("relative_attention_bias.weight", &[32, 8], "xavier_normal(gain=1)"),
        ("layers.0.mlp.experts.3.w1.weight", &[64, 256], "xavier_normal(gain=1)"),
    ] {
        let plan = built_in(&[(name, shape)]);
        plan.check().unwrap();
        assert_eq!(descriptions(&plan), [init], "{name}");
    }
    for (name, shape, reason) in [
        ("h.0.attn.bias", &[1, 1, 64, 64][..], "attention masks"),
        ("h.0.attn.masked_bias", &[], "a mask"),
        ("embeddings.position_ids", &[1, 16], "computes this buffer"),
        ("rotary_emb.inv_freq", &[32], "computes this buffer"),
        ("down_proj.weight_scale_inv", &[1, 1], "a quantised weight"),
        ("conv.weight_g", &[8, 1, 1], "weight_norm"),
        ("blocks.0.ls1.gamma", &[8], "LayerScale"),
        ("stages.0.blocks.12.gamma", &[8], "LayerScale"),
        ("features.1.0.layer_scale", &[8, 1, 1], "LayerScale"),
        ("convnext.encoder.stages.0.layers.0.layer_scale_parameter", &[8], "LayerScale"),
        ("q_proj.scales", &[4, 8], "a quantised weight"),
        ("layers.0.mlp.experts.gate_up_proj", &[8, 64, 256], "unstack"),
        ("blocks.0.ls1.gamma_1", &[8], "LayerScale"),
        ("mixer.A_log", &[16, 8], "Mamba"),
        ("mixer.dt_proj.bias", &[16], "Mamba"),
        ("logit_scale", &[], "CLIP"),
        ("vision_model.embeddings.class_embedding", &[8], "CLIP"),
        ("features.prelu1.weight", &[1], "PReLU"),
    ] {
        let error = built_in(&[("fc.weight", &[4, 4]), (name, shape)]).check().unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("no initialiser is right for {name:?} {shape:?}: ")), "{text}");
        assert!(text.contains(reason) && text.contains("--rules") && !text.contains('\n'), "{text}");
        // The hint is a file of rules.
        let rules = Rules::parse(&error.hint().unwrap().replace("init = \"…\"", ""), "hint").unwrap();
        assert_eq!(rules.to_string(), "hint, default");
    }
    // A vector that no framework names so is not guessed.
    let error = built_in(&[("mixer.D", &[16])]).check().unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("no rule matches this parameter: \"mixer.D\" [16]; give --rules"), "{text}");
    assert!(error.hint().unwrap().contains("match = \"mixer.D\""));
}

#[test]
fn integer_counters_are_zero() {
    let counter = Parameter { dtype: Dtype::I64, ..parameter("bn1.num_batches_tracked", &[]) };
    let model = Model::of_parameters(vec![counter]).unwrap();
    let plan = Plan::new(&model, None, &Rules::built_in().unwrap(), Some(seedbed::DType::BF16)).unwrap();
    plan.check().unwrap();
    let tensor = tensor(&plan, "bn1.num_batches_tracked");
    assert_eq!((tensor.dtype, tensor.moments()), (Dtype::I64, Some((0.0, 0.0))));
}

#[test]
fn streams_have_names_without_prefixes() {
    let text = "[names]\nstrip = ['module.', '_orig_mod.']\n[[rule]]\nmatch = '*'\ninit = 'normal()'";
    let plan = plan(text, &[("_orig_mod.fc.weight", &[2, 2])]);
    assert_eq!(plan.entries[0].stream(), "fc.weight");
    let twins = [("fc.weight", &[2_u64][..]), ("module.fc.weight", &[2])];
    assert_eq!(
        mistake(text, &twins),
        "\"fc.weight\" and \"module.fc.weight\" are both \"fc.weight\" without the prefixes, and would get the same \
         values"
    );
    let same = "[[rule]]\nmatch = '*'\ninit = 'normal()'\nunstack = 0\nnames = 'e.<i>'";
    assert!(mistake(same, &[("a", &[2, 3]), ("b", &[2, 3])]).contains("both have a part named \"e.0\""));
    let same = "[[rule]]\nmatch = '*'\ninit = 'normal()'\nsplit = {into = 2}\nnames = ['e', 'e']";
    assert!(mistake(same, &[("a", &[2, 3])]).contains("two of its parts are named \"e\""));
}

#[test]
fn the_first_match_wins_and_stars_cross_dots_and_slashes() {
    let text = "[[rule]]\nmatch = 'a.*.w'\ninit = 'ones'\n[[rule]]\nmatch = 'a.{b,c}*'\ninit = 'zeros'\n\
                [[rule]]\nmatch = 'x'\ninit = 'ones'";
    let plan = plan(text, &[("a.b.c/d.w", &[1]), ("a.b", &[]), ("a.c.W", &[3, 3])]);
    assert_eq!(descriptions(&plan), ["ones()", "zeros()", "zeros()"]);
    assert_eq!(plan.warnings, ["r.toml, rule 3 (line 7) (match = \"x\") matches no parameter"]);
}

#[test]
fn refused_parameters_are_listed_by_their_reasons() {
    let text = "[[rule]]\nmatch = '*.a'\nrefuse = 'because'\n[[rule]]\nmatch = '*.b'\nrefuse = 'since'\n\
                [[rule]]\nmatch = '*'\ninit = 'ones'";
    assert_eq!(
        mistake(text, &[("0.a", &[1]), ("0.b", &[1]), ("1.a", &[1]), ("c", &[1])]),
        "no initialiser is right for \"0.a\" [1], \"1.a\" [1]: because; \"0.b\" [1]: since; a rule of yours decides (add \
         one)"
    );
    let many: Vec<_> = (0..12).map(|i| format!("scalar{i}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), &[][..])).collect();
    let error = built_in(&many).check().unwrap_err().to_string();
    assert!(
        error.contains("\"scalar0\" [], \"scalar1\" []") && error.contains("and 2 more; give --rules"),
        "{error}"
    );
}

#[test]
fn parts_are_tensors_of_their_own() {
    let text = "[[rule]]\nmatch = '*in_proj_weight'\ninit = 'xavier_uniform'\nsplit = {into = 3}\n\
                names = ['.q_proj.weight', '.k_proj.weight', '.v_proj.weight']\n\
                [[rule]]\nmatch = '*w1'\ninit = 'orthogonal'\nunstack = 0\nnames = '.<i>.w1.weight'\n\
                [[rule]]\nmatch = '*'\ninit = 'xavier_uniform'\n\
                [[rule]]\nmatch = '*'\ninit = 'ones'";
    let text = text.replace(
        "[[rule]]\nmatch = '*'\ninit = 'xavier_uniform'",
        "[[rule]]\nmatch = 'moe.?.*'\ninit = 'orthogonal'\n[[rule]]\nmatch = '*'\ninit = 'xavier_uniform'",
    );
    let plan = plan(
        &text,
        &[
            ("attn.in_proj_weight", &[12, 4]),
            ("attn.k_proj.weight", &[4, 4]),
            ("moe.w1", &[3, 6, 2]),
            ("moe.2.w1.weight", &[6, 2]),
        ],
    );
    plan.check().unwrap();
    let fused = bytes(tensor(&plan, "attn.in_proj_weight"));
    assert_eq!(fused[64..128], bytes(tensor(&plan, "attn.k_proj.weight")));
    let stack = bytes(tensor(&plan, "moe.w1"));
    assert_eq!(stack[96..], bytes(tensor(&plan, "moe.2.w1.weight")));
    assert_eq!(descriptions(&plan)[0], "3 x xavier_uniform(gain=1)");
}

#[test]
fn columns_are_parts_too() {
    let text = "[[rule]]\nmatch = 'fused'\ninit = ['normal()', 'ones']\nsplit = {axis = -1, sizes = ['d0', 2]}\n\
                names = ['a', 'b']\n[[rule]]\nmatch = '*'\ninit = 'normal()'";
    let plan = plan(text, &[("fused", &[3, 5]), ("a", &[3, 3])]);
    let (fused, a) = (bytes(tensor(&plan, "fused")), bytes(tensor(&plan, "a")));
    for row in 0..3 {
        assert_eq!(fused[20 * row..20 * row + 12], a[12 * row..12 * row + 12]);
        assert_eq!(fused[20 * row + 12..20 * row + 20], [0, 0, 0x80, 0x3F, 0, 0, 0x80, 0x3F]);
    }
}

#[test]
fn rows_hold_what_they_are_given() {
    let text = "[let]\npad = 2\n[[rule]]\nmatch = '*'\ninit = 'normal()'\nrows = {pad = 'zeros', -1 = 'ones', 0 = 'constant(2)'}";
    let plan = plan(text, &[("emb", &[5, 3])]);
    let made = bytes(tensor(&plan, "emb"));
    let plain =
        bytes(tensor(&self::plan("[[rule]]\nmatch = '*'\ninit = 'normal()'", &[("emb", &[5, 3])]), "emb"));
    let floats: &[f32] = bytemuck::cast_slice(&made);
    assert_eq!(floats[..3], [2.0; 3]);
    assert_eq!(floats[6..9], [0.0; 3]);
    assert_eq!(floats[12..], [1.0; 3]);
    assert_eq!((&made[12..24], &made[36..48]), (&plain[12..24], &plain[36..48]));
}

#[test]
fn fans_come_from_siblings_layouts_and_groups() {
    let std = |extra: &str, name: &str| {
        let text = format!("[[rule]]\nmatch = '{name}'\n{extra}\n[[rule]]\nmatch = '*'\ninit = 'ones'");
        let plan =
            plan(&text, &[("fc.weight", &[256, 784]), ("fc.bias", &[256]), ("dw.weight", &[64, 1, 3, 3])]);
        plan.check().unwrap();
        tensor(&plan, name).moments().unwrap().1
    };
    let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
    close(
        std("init = 'uniform(-1/sqrt(fan_in), 1/sqrt(fan_in))'\nof = '.weight'", "fc.bias"),
        1.0 / (28.0 * 3_f64.sqrt()),
    );
    close(std("init = 'kaiming_uniform(a=sqrt(5))'\nof = '.weight'", "fc.bias"), 1.0 / (28.0 * 3_f64.sqrt()));
    close(std("init = 'kaiming_normal'\nlayout = 'in_out'", "fc.weight"), (2_f64 / 256.0).sqrt());
    close(std("init = 'kaiming_normal(mode=fan_out)'\ngroups = 'd0'", "dw.weight"), (2_f64 / 9.0).sqrt());
    close(
        std("init = 'xavier_normal'\nfans = {in = 'fan_in*2', out = 32}", "fc.weight"),
        (2_f64 / 1600.0).sqrt(),
    );
}

#[test]
fn numbers_come_from_the_model() {
    let text = "[let]\nlayers = 'count(layer)'\nscale = 'std/sqrt(2*layers)'\n\
                std = {config = 'initializer_range', default = 0.02}\n\
                [[rule]]\nmatch = 'h.<layer>.*'\ninit = 'nn.init.normal_(w, std=scale)'\n\
                [[rule]]\nmatch = '*'\nwhen = {config = 'tied', is = true}\ninit = 'zeros'\n\
                [[rule]]\nmatch = '*'\ninit = 'normal(std=std)'";
    let parameters: &[(&str, &[u64])] = &[("h.0.w", &[2]), ("h.3.w", &[2]), ("h.0.v", &[2]), ("head", &[2])];
    let made = plan(text, parameters);
    assert_eq!(descriptions(&made)[..2], ["normal(mean=0,std=0.01)", "normal(mean=0,std=0.01)"]);
    assert_eq!(descriptions(&made)[3], "normal(mean=0,std=0.02)");
    let mut model = model(parameters);
    model.config = Some(Config::parse(br#"{"initializer_range": 0.5, "tied": true}"#).unwrap());
    let made = Plan::new(&model, None, &rules(text), None).unwrap();
    assert_eq!(
        descriptions(&made),
        ["normal(mean=0,std=0.25)", "normal(mean=0,std=0.25)", "normal(mean=0,std=0.25)", "zeros()"]
    );
}

#[test]
fn ties_have_the_values_of_others() {
    let text = "[[rule]]\nmatch = 'a'\ntie = 'b'\n[[rule]]\nmatch = 'b'\ntie = '.c'\n[[rule]]\nmatch = '*'\ninit = 'normal()'";
    let made = plan(text, &[("a", &[3]), ("c", &[3]), ("b", &[3])]);
    made.check().unwrap();
    assert_eq!(bytes(tensor(&made, "a")), bytes(tensor(&made, "c")));
    assert_eq!(descriptions(&made), ["tied to b", "normal(mean=0,std=1)", "tied to c"]);
}

#[test]
fn mistakes_name_file_rule_parameter_and_remedy() {
    let all = "[[rule]]\nmatch = '*'\n";
    for (text, parameters, message) in [
        (
            format!("{all}tie = 'b'"),
            &[("a.w", &[3_u64][..])][..],
            "parameter \"a.w\" [3]: r.toml, rule 1 (line 1): tie = \"b\" means \"b\", which the model does not have",
        ),
        (
            "[[rule]]\nmatch = 'a'\ntie = 'b'\n[[rule]]\nmatch = 'b'\ntie = 'a'".into(),
            &[("a", &[3]), ("b", &[3])],
            "leads back to itself: a -> b -> a",
        ),
        (
            "[[rule]]\nmatch = 'a'\ntie = 'b'\n[[rule]]\nmatch = 'b'\ninit = 'ones'".into(),
            &[("a", &[4]), ("b", &[3])],
            "tied to \"b\" of shape [3], but the shape here is [4]",
        ),
        (
            "[[rule]]\nmatch = 'a'\ntie = 'b'\n[[rule]]\nmatch = 'b'\nskip = true".into(),
            &[("a", &[3]), ("b", &[3])],
            "\"b\" is skipped",
        ),
        (
            format!("{all}copy = true"),
            &[("a", &[3])],
            "there is no data to copy: the model is a manifest; give --from",
        ),
        (
            format!("{all}init = 'ones'\nsplit = {{into = 2}}"),
            &[("a", &[3])],
            "the dimension 0 of [3] has no 2 equal parts",
        ),
        (
            format!("{all}init = 'ones'\nsplit = {{sizes = [1, 1]}}"),
            &[("a", &[3])],
            "the sizes [1, 1] add up to 2, but the dimension 0 of [3] is 3",
        ),
        (
            format!("{all}init = 'ones'\nsplit = {{axis = 1, into = 1}}"),
            &[("a", &[3])],
            "the axis 1 is out of range",
        ),
        (format!("{all}init = 'ones'\nunstack = 1"), &[("a", &[3])], "unstack: the axis 1 is out of range"),
        (
            format!("{all}init = 'normal(std=1/sqrt(fan_in))'"),
            &[("a", &[3])],
            "the shape [3] has no fans; `of` names the weight",
        ),
        (format!("{all}init = 'xavier_normal'"), &[("a", &[3])], "Fan in and fan out can not be computed"),
        (
            format!("{all}init = 'ones'\nof = '.weight'"),
            &[("a.bias", &[3]), ("a.weigh", &[3, 3])],
            "which the model does not have; \"a.weigh\" is like it",
        ),
        (
            format!("{all}init = 'ones'\nrows = {{3 = 'zeros'}}"),
            &[("a", &[3, 2])],
            "rows: there is no row 3 in [3, 2]",
        ),
        (
            format!("{all}init = 'ones'\nrows = {{-1 = 'zeros', 2 = 'ones'}}"),
            &[("a", &[3, 2])],
            "the row 2 is given twice",
        ),
        (format!("{all}init = 'ones'\ngroups = 1.5"), &[("a", &[3, 2])], "groups is 1.5"),
        (format!("{all}init = 'normal(std=d2)'"), &[("a", &[3, 2])], "the variable \"d2\" is unknown"),
        (
            format!("[let]\nx = 'y'\ny = 'x'\n{all}init = 'ones'"),
            &[("a", &[3])],
            "x depends on itself: x -> y -> x",
        ),
        (format!("[let]\nx = 'z'\n{all}init = 'ones'"), &[("a", &[3])], "the variable \"z\" is unknown"),
        (format!("[let]\nx = 'count(l)'\n{all}init = 'ones'"), &[("a", &[3])], "no rule captures <l>"),
        (
            format!("[let]\nx = {{config = 'k'}}\n{all}init = 'ones'"),
            &[("a", &[3])],
            "config.json has no number \"k\"",
        ),
        (format!("{all}init = 'norm(of=a)'"), &[("a", &[3])], "leads back to itself: a -> a"),
    ] {
        let error = mistake(&text, parameters);
        assert!(error.contains(message) && !error.contains('\n'), "{text}:\n{error}");
    }
}

#[test]
fn oddities_are_warnings() {
    let all = "[[rule]]\nmatch = '*'\n";
    for (text, name, shape, message) in [
        (
            format!("{all}init = 'normal(std=0)'"),
            "a",
            &[3_u64, 3][..],
            Some("parameter \"a\" has a standard deviation of 0"),
        ),
        (
            format!("{all}init = 'trunc_normal(std=0.02)'"),
            "a",
            &[3, 3],
            Some("is a normal distribution: a and b"),
        ),
        (format!("{all}init = 'trunc_normal(std=1)'"), "a", &[3, 3], None),
        (
            format!("{all}init = 'xavier_normal'"),
            "mlp.experts.w",
            &[8, 3, 3],
            Some("counts the stack of experts"),
        ),
        (format!("{all}init = 'xavier_normal'\nunstack = 0"), "mlp.experts.w", &[8, 3, 3], None),
        (format!("{all}init = 'normal'"), "a.weight_scale_inv", &[3, 3], Some("is noise")),
        (
            format!("{all}init = 'normal'\n[[rule]]\nmatch = 'b'\ninit = 'ones'"),
            "a",
            &[3],
            Some("rule 2 (line 4) (match = \"b\") matches no parameter"),
        ),
        (
            format!("{all}init = 'normal'\n[names]\nstrip = ['z.']"),
            "a",
            &[3],
            Some("no parameter's name has the prefix \"z.\""),
        ),
    ] {
        let warnings = plan(&text, &[(name, shape)]).warnings;
        match message {
            Some(message) => {
                assert!(warnings.len() == 1 && warnings[0].contains(message), "{text}: {warnings:?}")
            }
            None => assert_eq!(warnings, [""; 0], "{text}"),
        }
    }
}

#[test]
fn parts_have_a_limit_and_errors_do_not_search_without_end() {
    let name = "a".repeat(10_000);
    let text = "[[rule]]\nmatch = '*'\ninit = 'ones'\nsplit = { into = 65536 }";
    assert!(mistake(text, &[(&name, &[65536])]).contains("too many parts"));
    let text = "[[rule]]\nmatch = '*'\ninit = 'jax::orthogonal(column_axis=1)'";
    let stack: Vec<_> = (0..9).map(|i| (format!("w{i}"), [2, 1 << 20, 2])).collect();
    let stack: Vec<_> = stack.iter().map(|(name, shape)| (name.as_str(), &shape[..])).collect();
    assert!(mistake(text, &stack).contains("too many parts"));

    let names: Vec<_> = (0..150).map(|i| format!("layer{i}.bias")).collect();
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), &[4_u64][..])).collect();
    let plan = plan("[[rule]]\nmatch = '*'\ninit = 'ones'\nof = '.weight'", &all);
    let similar = plan.entries.iter().filter(|entry| entry.description().contains("is like it")).count();
    assert_eq!(similar, 100);
    assert!(plan.entries.iter().all(|entry| entry.description().contains("which the model does not have")));
}

/// Found by the fuzz target `rules`.
#[test]
fn a_reason_has_a_text() {
    for reason in ["", " ", "\\n"] {
        let text = format!("[[rule]]\nmatch=\"*\"\nrank = 2\nrefuse = \"{reason}\"\n\n");
        let error = Rules::parse(&text, "r.toml").unwrap_err().to_string();
        assert!(error.contains("refuse is the reason, and needs a text"), "{error}");
    }
}

#[test]
fn names_and_reasons_of_several_lines_are_one_line() {
    let text = "[[rule]]\nmatch = '*.weight'\ninit = 'ones'\n[[rule]]\nmatch = '*'\nrefuse = \"two\\nlines\"";
    let plan = plan(text, &[("a\nb.weight", &[2]), ("c\u{1b}\u{85}.bias", &[2])]);
    assert_eq!(descriptions(&plan), ["ones()", "two lines"]);
    let hint = plan.check().unwrap_err().hint().unwrap().to_owned();
    assert!(hint.contains("match = \"c**.bias\""), "{hint}");
    assert_eq!(Rules::parse(&hint, "hint").unwrap().matching_indices("c\u{1b}\u{85}.bias").count(), 1);
}
