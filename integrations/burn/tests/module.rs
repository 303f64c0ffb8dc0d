//! Fills of modules: each parameter has the stream of its path and can be trained.

mod common;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{MseLoss, Reduction};
use burn::nn::{Linear, LinearConfig, LinearLayout, Relu};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{DType, Device, Tensor};
use common::{bytes, host, open};
use seedbed_burn::{Error, Init, Key};

const KEY: Key = Key::new(42);

#[derive(Module, Debug)]
struct Mlp {
    hidden: Vec<Linear>,
    activation: Relu,
    output: Linear,
}

impl Mlp {
    fn new(device: &Device) -> Self {
        let hidden = vec![LinearConfig::new(16, 64).init(device), LinearConfig::new(64, 64).init(device)];
        Self { hidden, activation: Relu::new(), output: LinearConfig::new(64, 4).init(device) }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.hidden.iter().fold(input, |x, layer| self.activation.forward(layer.forward(x)));
        self.output.forward(hidden)
    }
}

/// The rule of the tests: Xavier for matrices, zeros for vectors.
fn rule(_path: &str, shape: &[usize]) -> Option<Init> {
    Some(if shape.len() > 1 { Init::xavier_uniform() } else { Init::Zeros })
}

#[test]
fn parameters_equal_the_host_by_their_paths() {
    let (device, seedbed) = open();
    let mut paths = Vec::new();
    let model = seedbed
        .init_module(Mlp::new(&device), KEY, |path, shape| {
            paths.push(path.to_owned());
            rule(path, shape)
        })
        .unwrap();
    assert_eq!(
        paths,
        [
            "hidden.0.weight",
            "hidden.0.bias",
            "hidden.1.weight",
            "hidden.1.bias",
            "output.weight",
            "output.bias"
        ]
    );
    let weight = model.hidden[1].weight.val();
    let expected = host(&[64, 64], DType::F32, &Init::xavier_uniform(), KEY.named("hidden.1.weight"));
    assert_eq!(bytes(weight), expected);
    let bias = model.output.bias.unwrap().val();
    assert_eq!(bias.into_data().try_to_vec::<f32>().unwrap(), [0.0; 4]);
}

#[test]
fn burns_own_initialiser_does_not_run_and_others_stay() {
    let (device, seedbed) = open();
    let linear = LinearConfig::new(8, 8).init(&device);
    let (weight, bias) = (linear.weight.id, linear.bias.as_ref().unwrap().id);
    let clone = linear.clone();
    let linear =
        seedbed.init_module(linear, KEY, |path, _| (path == "weight").then(|| Init::constant(2.0))).unwrap();
    assert!(!clone.weight.is_initialized());
    assert!(linear.weight.is_initialized());
    assert!(!linear.bias.as_ref().unwrap().is_initialized());
    assert_eq!((linear.weight.id, linear.bias.unwrap().id), (weight, bias));
}

#[test]
fn a_module_in_use_is_filled_again_and_its_clone_is_not() {
    let (device, seedbed) = open();
    let model = seedbed.init_module(Mlp::new(&device.autodiff()), KEY, rule).unwrap();
    let clone = model.clone();
    let model = seedbed.init_module(model, KEY.fold_in(1), rule).unwrap();
    for (model, key) in [(clone, KEY), (model, KEY.fold_in(1))] {
        let weight = &model.output.weight;
        assert!(weight.val().is_require_grad());
        let expected = host(&[64, 4], DType::F32, &Init::xavier_uniform(), key.named("output.weight"));
        assert_eq!(bytes(weight.val()), expected);
    }
}

/// burn's linear weights have the shape `[d_input, d_output]`, unless they are kept by column. Convolutions
/// have PyTorch's shape.
#[test]
fn shapes_as_a_rule_sees_them() {
    let (device, seedbed) = open();
    let mut seen = Vec::new();
    let mut see = |_: &str, shape: &[usize]| {
        seen.push(shape.to_vec());
        (shape.len() > 1).then(|| Init::normal(0.0, 1.0))
    };
    let rows = LinearConfig::new(3, 5).with_bias(false).init(&device);
    seedbed.init_module(rows, KEY, &mut see).unwrap();
    let columns: Linear =
        LinearConfig::new(3, 5).with_bias(false).with_layout(LinearLayout::Col).init(&device);
    let columns = seedbed.init_module(columns, KEY, &mut see).unwrap();
    let conv: Conv2d = Conv2dConfig::new([3, 8], [2, 2]).with_bias(false).init(&device);
    seedbed.init_module(conv, KEY, &mut see).unwrap();
    assert_eq!(seen, [vec![3, 5], vec![5, 3], vec![8, 3, 2, 2]]);

    let weight = columns.weight.val();
    assert_eq!(weight.dims(), [3, 5]);
    let expected = host(&[5, 3], DType::F32, &Init::normal(0.0, 1.0), KEY.named("weight"));
    assert_eq!(bytes(weight.transpose()), expected);
}

#[test]
fn a_filled_model_learns() {
    let (device, seedbed) = open();
    let device = device.autodiff();
    let mut model = seedbed.init_module(Mlp::new(&device), KEY, rule).unwrap();
    let input: Tensor<2> =
        seedbed.tensor([32, 16], &device, &Init::normal(0.0, 1.0), KEY.named("x")).unwrap();
    let target: Tensor<2> =
        seedbed.tensor([32, 4], &device, &Init::normal(0.0, 1.0), KEY.named("y")).unwrap();
    let mut optimizer = SgdConfig::new().init();
    let mut losses = Vec::new();
    for _ in 0..3 {
        let loss = MseLoss::new().forward(model.forward(input.clone()), target.clone(), Reduction::Mean);
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(0.05, model, gradients);
    }
    assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
}

#[test]
fn an_error_names_the_parameter() {
    let (device, seedbed) = open();
    let error = seedbed.init_module(Mlp::new(&device), KEY, |_, _| Some(Init::xavier_normal())).unwrap_err();
    assert!(matches!(&error, Error::Parameter { path, .. } if path == "hidden.0.bias"), "{error}");

    // A weight that is kept by column is a view once it is initialised, and a fill can't write a view.
    let columns = LinearConfig::new(3, 5).with_layout(LinearLayout::Col).init(&device);
    columns.weight.val();
    let error = seedbed.init_module(columns, KEY, rule).unwrap_err();
    assert!(error.to_string().starts_with("weight: a tensor of shape [3, 5]"), "{error}");
}
