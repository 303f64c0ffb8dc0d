//! The layers of the guide "Recipes", all in one arena: each part holds what a tensor of its own would hold, has
//! the scale that the guide states, and leaves its neighbours alone.

use seedbed::{Axes, Error, Fill, Init, Key, TensorView, VarianceScaling, wgpu};

use crate::Check;
use crate::harness::assertions::assert_same_words;
use crate::harness::engines::{Device, Engine, SENTINEL, USAGE};

pub const CHECKS: &[Check] = &[Check::device("memory::recipes", recipes)];

const MODEL: Key = Key::new(42);
const D: usize = 48;
const EXPERTS: usize = 8;
const OUT: usize = 32;
const INPUT: usize = 20;
const HIDDEN: usize = 12;
const ROWS: usize = 10;
const PADDING: usize = 3;

/// An arena of f32 elements as it is expected, written by plain loops.
struct Expected {
    words: Vec<u32>,
}

impl Expected {
    /// Writes a tensor that was filled alone: rows of `columns` elements, `pitch` elements apart.
    fn put(&mut self, at: usize, name: &str, init: Init, shape: &[usize], pitch: usize) {
        let values = Engine::Host.fill(shape, &init, MODEL.named(name));
        let columns = *shape.last().expect("a dimension");
        for (row, values) in values.chunks(columns).enumerate() {
            for (column, value) in values.iter().enumerate() {
                self.words[at + row * pitch + column] = value.to_bits();
            }
        }
    }
}

fn recipes(device: &Device) {
    // In elements, with a gap of four behind each tensor.
    let sizes = [3 * D * D, 3 * D * D, EXPERTS * OUT * INPUT, EXPERTS * OUT * INPUT, 4 * HIDDEN, ROWS * D];
    let mut end = 0;
    let [rows, columns, experts, stack, bias, embedding] = sizes.map(|size| {
        let start = end;
        end += size + 4;
        start
    });
    let mut expected = Expected { words: vec![u32::from_ne_bytes([SENTINEL; 4]); end] };
    let arena = device.sentinel_buffer(4 * end as u64, USAGE);

    let xavier = Init::xavier_normal();
    let scaling = VarianceScaling { batch_axis: Axes::from(0), ..VarianceScaling::jax_glorot_normal() };
    let uniform = Init::uniform(-0.25, 0.25);
    let mut fills = parts(&arena, rows, columns, experts, xavier);
    let add = |fills: &mut Vec<Fill<'static>>, name: &str, at: usize, shape: &[usize], init: Init| {
        let view = TensorView::f32(&arena, shape).at(4 * at);
        fills.push(Fill::named(name, view, init, MODEL).into_owned());
    };
    add(&mut fills, "stack", stack, &[EXPERTS, INPUT, OUT], Init::from(scaling));
    let part = |whole: &Fill<'static>, name: &str, rows: std::ops::Range<usize>, init: Init| {
        Fill::named(name, whole.tensor().rows(rows).expect("rows of the tensor"), init, MODEL).into_owned()
    };
    add(&mut fills, "bias", bias, &[4 * HIDDEN], uniform);
    fills.push(part(&fills[fills.len() - 1], "bias.forget", HIDDEN..2 * HIDDEN, Init::ones()));
    add(&mut fills, "embedding", embedding, &[ROWS, D], Init::normal(0.0, 1.0));
    fills.push(part(&fills[fills.len() - 1], "embedding.padding", PADDING..PADDING + 1, Init::zeros()));
    device.submit(|encoder| device.recorder.fill_all(encoder, &fills)).expect("fills that are right");

    for i in 0..3 {
        expected.put(rows + i * D * D, &format!("rows.{i}"), xavier, &[D, D], D);
        expected.put(columns + i * D, &format!("columns.{i}"), xavier, &[D, D], 3 * D);
    }
    for i in 0..EXPERTS {
        expected.put(experts + i * OUT * INPUT, &format!("experts.{i}"), xavier, &[OUT, INPUT], INPUT);
    }
    expected.put(stack, "stack", Init::from(scaling), &[EXPERTS, INPUT, OUT], OUT);
    expected.put(bias, "bias", uniform, &[4 * HIDDEN], 4 * HIDDEN);
    expected.words[bias + HIDDEN..bias + 2 * HIDDEN].fill(1_f32.to_bits());
    expected.put(embedding, "embedding", Init::normal(0.0, 1.0), &[ROWS, D], D);
    expected.words[embedding + PADDING * D..][..D].fill(0);
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&device.read(&arena));
    assert_same_words(&words, &expected.words, "the arena");

    // A stack has the scale of one expert if its batch axis is named, and another one otherwise.
    let alone = xavier.std([OUT, INPUT]).expect("a matrix");
    let stacked = Init::from(scaling).std([EXPERTS, INPUT, OUT]).expect("a stack");
    assert!((stacked - alone).abs() < 1e-12, "{stacked} {alone}");
    assert!(xavier.std([EXPERTS, OUT, INPUT]).expect("a stack") < 0.7 * alone);
    for (at, size) in [(rows, 3 * D * D), (columns, 3 * D * D), (experts, EXPERTS * OUT * INPUT)] {
        let values = words[at..at + size].iter().map(|&word| f64::from(f32::from_bits(word)));
        let std = (values.map(|value| value * value).sum::<f64>() / size as f64).sqrt();
        let stated = if at == experts { alone } else { xavier.std([D, D]).expect("a matrix") };
        // Five standard errors, 1/√(2·size), of a fixed stream.
        assert!((std / stated - 1.0).abs() < 5.0 / (2.0 * size as f64).sqrt(), "{std} {stated}");
    }
}

/// The tensors of which several lie in one weight.
fn parts(
    arena: &wgpu::Buffer,
    rows: usize,
    columns: usize,
    experts: usize,
    init: Init,
) -> Vec<Fill<'static>> {
    let view = |at: usize, shape: &[usize]| TensorView::f32(arena, shape).at(4 * at).into_owned();
    let (in_rows, in_columns) = (view(rows, &[3 * D, D]), view(columns, &[D, 3 * D]));
    let stack = view(experts, &[EXPERTS, OUT, INPUT]);
    let fill = |name: String, view: Result<TensorView<'static>, Error>| {
        Fill::named(name, view.expect("a part of the weight"), init, MODEL)
    };
    let range = |i: usize| i * D..(i + 1) * D;
    let of_rows = (0..3).map(|i| fill(format!("rows.{i}"), in_rows.rows(range(i))));
    let of_columns = (0..3).map(|i| fill(format!("columns.{i}"), in_columns.columns(range(i))));
    let of_stack = (0..EXPERTS).map(|i| fill(format!("experts.{i}"), stack.slice(i)));
    of_rows.chain(of_columns).chain(of_stack).collect()
}
