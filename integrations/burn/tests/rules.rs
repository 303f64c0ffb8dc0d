//! Fills of modules by rules: what `seedbed init` would write for a file of the same names.

mod common;

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    LinearLayout,
};
use burn::tensor::{Device, Tensor};
use common::{bytes, host, open};
use seedbed_burn::seedbed_model::{Dtype, Maker, Model, Outcome, Parameter, Plan, Segment};
use seedbed_burn::{Error, Init, Key, Rules, model_of};

const SEED: u64 = 42;
const KEY: Key = Key::new(SEED);

#[derive(Module, Debug)]
struct Block {
    embedding: Embedding,
    norm: LayerNorm,
    qkv: Linear,
    output: Linear,
    conv: Conv2d,
}

impl Block {
    fn new(device: &Device) -> Self {
        Self {
            embedding: EmbeddingConfig::new(40, 12).init(device),
            norm: LayerNormConfig::new(12).init(device),
            qkv: LinearConfig::new(12, 36).init(device),
            output: LinearConfig::new(12, 20).init(device),
            conv: Conv2dConfig::new([4, 6], [3, 3]).init(device),
        }
    }
}

/// The parameters of [`Block`], as a manifest for `seedbed init` would list them.
fn manifest() -> Vec<Parameter> {
    let parameter =
        |name: &str, shape: &[u64]| Parameter { name: name.into(), shape: shape.into(), dtype: Dtype::F32 };
    vec![
        parameter("embedding.weight", &[40, 12]),
        parameter("norm.gamma", &[12]),
        parameter("norm.beta", &[12]),
        parameter("qkv.weight", &[12, 36]),
        parameter("qkv.bias", &[36]),
        parameter("output.weight", &[12, 20]),
        parameter("output.bias", &[20]),
        parameter("conv.weight", &[6, 4, 3, 3]),
        parameter("conv.bias", &[6]),
    ]
}

/// Paths and bytes of a module's float parameters.
#[derive(Default)]
struct Read {
    path: Vec<String>,
    parameters: Vec<(String, Vec<u8>)>,
}

impl ModuleVisitor for Read {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        assert!(param.is_initialized(), "{:?}", self.path);
        self.parameters.push((self.path.join("."), bytes(param.val())));
    }
}

fn read(module: &impl Module) -> Vec<(String, Vec<u8>)> {
    let mut read = Read::default();
    module.visit(&mut read);
    read.parameters
}

/// Names and bytes of the file that `seedbed init` writes for the manifest.
fn file(rules: &Rules) -> Vec<(String, Vec<u8>)> {
    let plan = Plan::new(&Model::of_parameters(manifest()).unwrap(), None, rules, None).unwrap();
    plan.check().unwrap();
    let mut maker = Maker::new(SEED, None);
    let tensors = plan.tensors().map(|tensor| {
        let mut all = Vec::new();
        for Segment { source, elements } in tensor.content.segments() {
            let mut part = vec![0; 4 * (elements.end - elements.start) as usize];
            maker.make(tensor, source, elements, &mut part).unwrap();
            all.extend(part);
        }
        (tensor.name.clone(), all)
    });
    tensors.collect()
}

fn rules(text: &str) -> Rules {
    Rules::parse(text, "rules.toml").unwrap()
}

#[test]
fn a_module_equals_the_file_of_its_names() {
    let (device, seedbed) = open();
    for text in [
        "preset = \"default\"",
        // Padding rows, fans of burn's [in, out], a formula, a tie, an orthogonal matrix.
        r#"
            preset = "default"

            [let]
            std = "0.02/sqrt(2)"

            [[rule]]
            match = "embedding.weight"
            init = "normal(std=std)"
            rows = { 0 = "zeros()", -1 = "constant(2)" }

            [[rule]]
            match = "output.weight"
            init = "kaiming_normal(nonlinearity=relu)"
            layout = "in_out"

            [[rule]]
            match = "qkv.weight"
            init = "orthogonal()"

            [[rule]]
            match = "norm.gamma"
            init = 'formula("1 + i/8")'

            [[rule]]
            match = "norm.beta"
            tie = "norm.gamma"

            [[rule]]
            match = "*.bias"
            init = "uniform(-1/sqrt(fan_in), 1/sqrt(fan_in))"
            of = ".weight"
        "#,
        // Parts: columns, rows, a dimension between others, slices.
        r#"
            preset = "default"

            [[rule]]
            match = "output.weight"
            init = "orthogonal()"
            split = { axis = 1, sizes = [8, 12] }

            [[rule]]
            match = "embedding.weight"
            init = ["normal(std=0.1)", "xavier_normal()"]
            split = { axis = 0, sizes = [31, 9] }

            [[rule]]
            match = "conv.weight"
            init = "xavier_uniform()"
            split = { axis = 1, into = 2 }

            [[rule]]
            match = "qkv.weight"
            init = "normal()"
            unstack = 1
        "#,
        // Parts that the host makes.
        r#"
            preset = "default"

            [[rule]]
            match = "conv.weight"
            init = "orthogonal()"
            split = { axis = 1, into = 2 }

            [[rule]]
            match = "output.weight"
            init = "orthogonal()"
            rows = { 3 = "zeros()" }
        "#,
    ] {
        let rules = rules(text);
        let expected = file(&rules);
        let module = Block::new(&device.clone().autodiff());
        assert_eq!(model_of(&module).unwrap().parameters, manifest());
        let module = seedbed.init_module_by_rules(module, KEY, &rules).unwrap();
        assert_eq!(read(&module), expected, "{text}");
        assert!(module.output.weight.val().is_require_grad());

        // The same module again, in place and beside a clone.
        let other = seedbed.init_module_by_rules(module, Key::new(7), &rules).unwrap();
        let clone = other.clone();
        let again = seedbed.init_module_by_rules(other, KEY, &rules).unwrap();
        assert_eq!(read(&again), expected, "{text}");
        assert_ne!(read(&clone), expected, "{text}");
        assert!(again.output.weight.val().is_require_grad());
    }
}

#[test]
fn a_fused_projection_holds_the_separate_ones() {
    let (device, seedbed) = open();
    let rules = rules(
        r#"
            preset = "default"

            [[rule]]
            match = "qkv.weight"
            init = "xavier_uniform()"
            split = { axis = 1, into = 3 }
            names = ["q.weight", "k.weight", "v.weight"]
        "#,
    );
    let block = seedbed.init_module_by_rules(Block::new(&device), KEY, &rules).unwrap();
    let parts = block.qkv.weight.val().chunk(3, 1);
    assert_eq!(parts.len(), 3);
    for (part, name) in parts.into_iter().zip(["q.weight", "k.weight", "v.weight"]) {
        let expected = host(&[12, 12], part.dtype(), &Init::xavier_uniform(), KEY.named(name));
        assert_eq!(bytes(part), expected, "{name}");
    }
}

#[test]
fn skipped_parameters_are_left_to_burn() {
    let (device, seedbed) = open();
    let rules = rules(
        "preset = \"default\"\n[names]\nstrip = [\"norm.\"]\n[[rule]]\nmatch = \"qkv.*\"\nskip = true\n\
         [[rule]]\nmatch = \"norm.beta\"\ninit = \"normal()\"",
    );
    let block = Block::new(&device);
    let (id, clone) = (block.norm.beta.as_ref().unwrap().id, block.clone());
    let block = seedbed.init_module_by_rules(block, KEY, &rules).unwrap();
    assert!(!block.qkv.weight.is_initialized());
    // Burn's own initialiser has run for no parameter: the clone, which shares it, has no values.
    assert!(!clone.output.weight.is_initialized());
    let beta = block.norm.beta.unwrap();
    assert_eq!(beta.id, id);
    let expected = host(&[12], beta.val().dtype(), &Init::normal(0.0, 1.0), KEY.named("beta"));
    assert_eq!(bytes(beta.val()), expected);
}

/// A linear layer that is kept by column is `[out, in]`, as burn saves it.
#[test]
fn columns_are_transposed() {
    let (device, seedbed) = open();
    let columns = LinearConfig::new(3, 5).with_layout(LinearLayout::Col).init(&device);
    let rules =
        rules("[[rule]]\nmatch = \"weight\"\ninit = \"normal()\"\n[[rule]]\nmatch = \"*\"\nskip = true");
    let columns = seedbed.init_module_by_rules(columns, KEY, &rules).unwrap();
    let weight = columns.weight.val();
    assert_eq!(weight.dims(), [3, 5]);
    let expected = host(&[5, 3], weight.dtype(), &Init::normal(0.0, 1.0), KEY.named("weight"));
    assert_eq!(bytes(weight.transpose()), expected);
}

#[test]
fn an_error_lists_what_the_rules_cannot_make() {
    let (device, seedbed) = open();
    let block = Block::new(&device);
    let clone = block.clone();
    let some = rules("[[rule]]\nmatch = \"{norm,conv,output}.*\"\ninit = \"ones()\"");
    let error = seedbed.init_module_by_rules(block, KEY, &some).unwrap_err();
    assert!(matches!(&error, Error::Rules(error) if error.hint().is_some()), "{error:?}");
    let message = error.to_string();
    for name in ["embedding.weight", "qkv.weight", "qkv.bias"] {
        assert!(message.contains(name), "{message}");
    }
    assert!(!message.contains("norm.gamma"), "{message}");
    assert!(!clone.norm.gamma.is_initialized());

    let copies = rules("[[rule]]\nmatch = \"*\"\ncopy = true");
    let error = seedbed.init_module_by_rules(clone, KEY, &copies).unwrap_err();
    assert!(error.to_string().contains("no data to copy"), "{error}");
}

#[derive(Module, Debug)]
struct Running {
    norm: BatchNorm,
    columns: Linear,
}

#[test]
fn an_error_of_a_late_parameter_writes_no_early_one() {
    let (device, seedbed) = open();
    let columns = LinearConfig::new(3, 5).with_layout(LinearLayout::Col).init(&device);
    // An initialised view, which no fill can write.
    columns.weight.val();
    let module = Running { norm: BatchNormConfig::new(4).init(&device), columns };
    // A running state is shared with its clones, so a clone would see a write.
    let clone = module.clone();
    let ones = rules("[[rule]]\nmatch = \"*\"\ninit = \"constant(5)\"");
    let error = seedbed.init_module_by_rules(module, KEY, &ones).unwrap_err();
    assert!(error.to_string().starts_with("columns.weight: a tensor of shape [3, 5]"), "{error}");
    let mean = clone.norm.running_mean.value();
    assert_eq!(mean.into_data().try_to_vec::<f32>().unwrap(), [0.0; 4]);

    // Without the view there is no error.
    let rest = rules(
        "[[rule]]\nmatch = \"columns.weight\"\nskip = true\n[[rule]]\nmatch = \"*\"\ninit = \"constant(5)\"",
    );
    let module = seedbed.init_module_by_rules(clone, KEY, &rest).unwrap();
    let mean = module.norm.running_mean.value();
    assert_eq!(mean.into_data().try_to_vec::<f32>().unwrap(), [5.0; 4]);
}

#[test]
fn a_plan_of_another_module_is_refused() {
    let (device, seedbed) = open();
    let rules = rules("preset = \"default\"");
    let plan = |parameters| {
        let model = Model::of_parameters(parameters).unwrap();
        Plan::new(&model, None, &rules, None).unwrap()
    };
    let mut other = manifest();
    other[0].shape = vec![40, 13];
    let error = seedbed.init_module_by_plan(Block::new(&device), KEY, &plan(other)).unwrap_err();
    let expected = "embedding.weight: the plan makes F32 [40, 13], and the module has F32 [40, 12]";
    assert!(error.to_string().starts_with(expected), "{error}");

    let mut other = manifest();
    other[1].name = "norm.scale".into();
    let error = seedbed.init_module_by_plan(Block::new(&device), KEY, &plan(other)).unwrap_err();
    assert!(error.to_string().starts_with("norm.scale: the module has no such"), "{error}");

    // A part of the parameters is enough.
    let mut part = manifest();
    part.truncate(1);
    let part = plan(part);
    assert!(matches!(part.entries[0].outcome, Outcome::Make(_)));
    let block = seedbed.init_module_by_plan(Block::new(&device), KEY, &part).unwrap();
    assert!(block.embedding.weight.is_initialized() && !block.norm.gamma.is_initialized());
}
