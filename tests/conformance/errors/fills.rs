//! Every mistake has its message, and fills after it work.

use seedbed::wgpu::{self, BufferUsages};
use seedbed::{DType, Error, Fill, FillRecorder, Init, Key, Region, TensorView, host};

use crate::Check;
use crate::harness::assertions::{assert_only, assert_starts};
use crate::harness::engines::{Device, Engine, USAGE};

pub const CHECKS: &[Check] = &[
    Check::host("errors::host", on_the_host),
    Check::device("errors::mistakes_and_working_on", mistakes_and_working_on),
    Check::device("errors::shards_and_row_pitch", shards_and_row_pitch),
];

const KEY: Key = Key::new(10);
const NORMAL: Init = Init::normal(0.0, 1.0);

/// Mistakes that do not depend on a buffer: a region, an initialiser, and the beginning of the message.
pub fn mistakes_without_a_buffer() -> Vec<(Region<'static>, Init, &'static str)> {
    let whole = |shape: &'static [u64]| Region::from(shape);
    #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
    let reversed = whole(&[4]).elements(3..2);
    #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake, to be refused")]
    let reversed_range = whole(&[4]).ranges([[0..1, 3..2]]);
    vec![
        (
            whole(&[4]),
            Init::xavier_normal(),
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions: the shape is [4]",
        ),
        (
            whole(&[]),
            Init::xavier_normal(),
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions: the shape is []",
        ),
        (whole(&[4]), Init::normal(0.0, -0.5), "normal expects std >= 0.0, but found std -0.5"),
        (whole(&[2, 2]), Init::XavierNormal { gain: -1.0 }, "normal expects std >= 0.0, but found std -0.7"),
        (whole(&[4]), Init::normal(f64::NAN, 1.0), "mean is NaN; it must be finite"),
        (whole(&[4]), Init::normal(f64::INFINITY, 1.0), "mean is inf; it must be finite"),
        (whole(&[4]), Init::normal(0.0, f64::INFINITY), "std is inf; it must be finite"),
        (whole(&[4]), Init::normal(0.0, f64::NAN), "std is NaN; it must be finite"),
        (whole(&[2, 2]), Init::XavierNormal { gain: f64::NAN }, "gain is NaN; it must be finite"),
        (whole(&[4]), Init::constant(1e39), "value = 1e39 overflows f32; the largest is 3.4028"),
        (whole(&[4]), Init::constant(-1e39), "value = -1e39 overflows f32"),
        (whole(&[4]), Init::normal(-1e39, 1.0), "mean = -1e39 overflows f32"),
        (whole(&[4]), Init::normal(0.0, 1e39), "std = 1e39 overflows f32"),
        (
            whole(&[4]).elements(2..5),
            NORMAL,
            "elements 2..5 were asked for, but the tensor of shape [4] has 4",
        ),
        (reversed, NORMAL, "elements 3..2 were asked for, but the tensor of shape [4] has 4"),
        (
            whole(&[1 << 32, 1 << 32]),
            NORMAL,
            "the shape [4294967296, 4294967296] has more than 2^60 elements",
        ),
        (
            whole(&[1 << 31, 1 << 30]).elements(0..4),
            Init::Zeros,
            "the shape [2147483648, 1073741824] has more than",
        ),
        (
            whole(&[i64::MAX as u64, 2, 2]),
            Init::xavier_normal(),
            "the shape [9223372036854775807, 2, 2] has more than",
        ),
        (
            Region::from([-1, 2, 2]),
            Init::xavier_normal(),
            "a dimension of the shape is -1 (as u64: 18446744073709551615); it must be 0 to 2^63 - 1",
        ),
        (
            Region::from([0, -1]),
            Init::Zeros,
            "a dimension of the shape is -1 (as u64: 18446744073709551615); it must be 0 to 2^63 - 1",
        ),
        (Region::from([4, 3]).shard([-2, 0], [1, 1]), NORMAL, "the shard's first index is -2"),
        (Region::from([4, 3]).shard([1, 0], [1, -1]), NORMAL, "a dimension of the shard is -1"),
        (
            Region::from([4, 3]).ranges([vec![0..1, 3..5], vec![0..3]]),
            NORMAL,
            "the range 3..5 of dimension 0 reaches out of the tensor, which has the indices 0..4 there",
        ),
        (
            Region::from([4, 3]).ranges([vec![0..1], vec![-2..3]]),
            Init::Zeros,
            "the range -2..3 of dimension 1 reaches out of the tensor, which has the indices 0..3 there",
        ),
        (
            reversed_range,
            NORMAL,
            "the range 3..2 of dimension 0 ends before it begins; give the smaller index first",
        ),
        (
            Region::from([4, 3]).ranges([vec![0..1, 3..4]]),
            NORMAL,
            "the ranges have 1 lists; give one list for each of the tensor's 2 dimensions",
        ),
        (
            Region::from([1_u64 << 30, 1 << 30]).ranges([vec![0..1_u64 << 30, 0..1 << 30], vec![0..1 << 30]]),
            NORMAL,
            "the shape [2147483648, 1073741824] has more than 2^60 elements",
        ),
        (
            Region::from([4]).elements(-1..3),
            NORMAL,
            "the first element is -1 (as u64: 18446744073709551615); it must be 0 to 2^63 - 1",
        ),
        // 2^61 elements, whose bytes 64 bits can count.
        (
            Region::from([1_u64 << 31, 1 << 30]),
            Init::xavier_normal(),
            "the shape [2147483648, 1073741824] has more than 2^60 elements",
        ),
        (
            whole(&[4, 3]).shard([0], [4, 3]),
            NORMAL,
            "the shard begins at [0] and has the shape [4, 3]; \
             both need one number for each of the tensor's 2 dimensions",
        ),
        (
            whole(&[4, 3]).shard([1, 0], [2]),
            NORMAL,
            "the shard begins at [1, 0] and has the shape [2]; both need one number for each of the tensor's 2",
        ),
        (
            whole(&[]).shard([0], [1]),
            Init::Zeros,
            "the shard begins at [0] and has the shape [1]; both need one number for each of the tensor's 0",
        ),
        (
            whole(&[4, 3]).shard([0, 2], [4, 2]),
            NORMAL,
            "the shard has 2 elements from 2 on in dimension 1, of which the tensor has 3",
        ),
        (
            whole(&[4, 3]).shard([5, 0], [0, 3]),
            Init::Zeros,
            "the shard has 0 elements from 5 on in dimension 0, of which the tensor has 4",
        ),
        (
            whole(&[2, 4, 3]).shard([0, i64::MAX as u64, 0], [2, 2, 3]),
            NORMAL,
            "the shard has 2 elements from 9223372036854775807 on in dimension 1, of which the tensor has 4",
        ),
        (
            whole(&[4, 3]).shard([0, 1], [1, i64::MAX as u64]),
            NORMAL,
            "the shard has 9223372036854775807 elements from 1 on in dimension 1, of which the tensor has 3",
        ),
        (
            whole(&[1 << 31, 1 << 30]).shard([0, 0], [2, 2]),
            NORMAL,
            "the shape [2147483648, 1073741824] has more than 2^60 elements",
        ),
        (
            whole(&[4]).shard([0], [4]),
            Init::xavier_normal(),
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions: the shape is [4]",
        ),
    ]
}

fn on_the_host() {
    let mut values = [7.0; 4];
    for (region, init, message) in mistakes_without_a_buffer() {
        assert_starts(host::fill(&mut values, region, &init, KEY), message);
        assert_eq!(values, [7.0; 4], "{message}");
    }
    let lengths = "the destination has 4 elements, but 5 are to be written";
    assert_starts(host::fill(&mut values, [5], &NORMAL, KEY), lengths);
    assert_eq!(values, [7.0; 4]);
    assert_starts(host::fill_words(&mut [0; 4], [5], KEY), lengths);
    assert_starts(
        host::fill_words(&mut [0; 3], Region::from([9]).elements(8..10), KEY),
        "elements 8..10 were asked",
    );
    let shard = || Region::from([4, 4]).shard([1, 1], [2, 3]);
    let lengths = "the destination has 4 elements, but 6 are to be written";
    assert_starts(host::fill(&mut values, shard(), &NORMAL, KEY), lengths);
    assert_starts(host::fill_words(&mut [0; 4], shard(), KEY), lengths);
    assert_starts(host::fill_bytes(&mut [0; 16], DType::F32, shard(), &NORMAL, KEY), lengths);
    assert_eq!(values, [7.0; 4]);
    assert_starts(
        host::fill_words(&mut [0; 4], Region::from([4, 4]).shard([3, 0], [2, 2]), KEY),
        "the shard has 2 elements from 3 on in dimension 0, of which the tensor has 4",
    );
}

/// After each mistake, a right fill is recorded into the same encoder.
fn mistakes_and_working_on(device: &Device) {
    type Mistake<'a> =
        Box<dyn Fn(&FillRecorder, &mut wgpu::CommandEncoder, &wgpu::Buffer) -> Result<(), Error> + 'a>;
    let no_storage = device.sentinel_buffer(64, BufferUsages::COPY_SRC | BufferUsages::COPY_DST);
    let at = |offset, region: Region<'static>, init, message| -> (Mistake, &str) {
        let fill: Mistake = Box::new(move |recorder, encoder, buffer| {
            recorder.fill(encoder, &TensorView::f32(buffer, region.clone()).at(offset), &init, KEY)
        });
        (fill, message)
    };
    let typed = |dtype, init, message| -> (Mistake, &str) {
        let fill: Mistake = Box::new(move |recorder, encoder, buffer| {
            recorder.fill(encoder, &TensorView::new(buffer, dtype, [4]), &init, KEY)
        });
        (fill, message)
    };

    let mut mistakes: Vec<(Mistake, &str)> = mistakes_without_a_buffer()
        .into_iter()
        .map(|(region, init, message)| at(0, region, init, message))
        .collect();
    mistakes.extend([
        at(2, Region::from([4]), NORMAL, "the byte offset 2 is not a multiple of 4, the alignment of f32"),
        at(
            7,
            Region::from([4]),
            Init::Zeros,
            "the byte offset 7 is not a multiple of 4, the alignment of f32",
        ),
        at(52, Region::from([4]), NORMAL, "the tensor needs bytes 52..68 of its buffer, which has 64"),
        at(52, Region::from([4]), Init::Zeros, "the tensor needs bytes 52..68 of its buffer, which has 64"),
        at(
            1 << 40,
            Region::from([4]),
            NORMAL,
            "the tensor needs bytes 1099511627776..1099511627792 of its buffer",
        ),
        at(68, Region::from([0]), NORMAL, "the tensor needs bytes 68..68 of its buffer, which has 64"),
        at(0, Region::from([17]), NORMAL, "the tensor needs bytes 0..68 of its buffer, which has 64"),
        at(
            (-4_i64) as u64,
            Region::from([4]),
            NORMAL,
            "the byte offset is -4 (as u64: 18446744073709551612); it must be 0 to 2^63 - 1",
        ),
        typed(DType::U32, NORMAL, "an initialiser can't write u32; give it a tensor of f32"),
        typed(DType::U32, Init::Zeros, "an initialiser can't write u32; give it a tensor of f32"),
    ]);
    mistakes.push((
        Box::new(|recorder, encoder, buffer| {
            recorder.fill_words(encoder, &TensorView::f32(buffer, [4]), KEY)
        }),
        "fill_words can't write f32; give it a tensor of u32",
    ));
    for init in [NORMAL, Init::Zeros] {
        let no_storage = &no_storage;
        mistakes.push((
            Box::new(move |recorder, encoder, _| {
                recorder.fill(encoder, &TensorView::f32(no_storage, [4]), &init, KEY)
            }),
            "the buffer was created with usage BufferUsages(COPY_SRC | COPY_DST); a fill needs BufferUsages(STORAGE) too",
        ));
    }

    let expected = Engine::Host.fill([4], &NORMAL, KEY);
    for (mistake, message) in mistakes {
        let buffer = device.sentinel_buffer(64, USAGE);
        device
            .submit(|encoder| {
                assert_starts(mistake(&device.recorder, encoder, &buffer), message);
                device.recorder.fill(encoder, &TensorView::f32(&buffer, [4]).at(24), &NORMAL, KEY)
            })
            .expect("a fill that is right");
        assert_only(&device.read(&buffer), &[(24, &expected)], message);
    }
    assert_only(&device.read(&no_storage), &[], "without STORAGE");
}

/// Rows are longer than their pitch, or the pitch takes rows beyond the end of the buffer.
fn shards_and_row_pitch(device: &Device) {
    let buffer = device.sentinel_buffer(64, USAGE);
    let shard = Region::from([9, 9]).shard([1, 2], [3, 5]);
    let f32 = |region: Region<'static>| TensorView::f32(&buffer, region);
    let f16 = |region: Region<'static>| TensorView::f16(&buffer, region);
    let whole = |shape: &'static [u64]| Region::from(shape);
    for (tensor, message) in [
        (
            f32(whole(&[2, 4])).row_pitch(12),
            "a row pitch of 12 bytes; rows of 4 elements of f32 need a multiple of 4 from 16 on",
        ),
        (f32(whole(&[2, 4])).row_pitch(18), "a row pitch of 18 bytes; rows of 4 elements of f32 need"),
        (
            f16(whole(&[2, 4])).row_pitch(9),
            "a row pitch of 9 bytes; rows of 4 elements of f16 need a multiple of 2 from 8 on",
        ),
        (f16(whole(&[2, 4])).row_pitch(6), "a row pitch of 6 bytes; rows of 4 elements of f16 need"),
        (f32(whole(&[3, 1])).row_pitch(0), "a row pitch of 0 bytes; rows of 1 elements of f32 need"),
        (f32(whole(&[])).row_pitch(0), "a row pitch of 0 bytes; rows of 1 elements of f32 need"),
        (f32(whole(&[5])).row_pitch(16), "a row pitch of 16 bytes; rows of 5 elements of f32 need"),
        (f32(shard.clone()).row_pitch(16), "a row pitch of 16 bytes; rows of 5 elements of f32 need"),
        (
            f32(whole(&[9, 9]).elements(3..13)).row_pitch(36),
            "a row pitch of 36 bytes; rows of 10 elements of f32 need",
        ),
        (f32(whole(&[4, 4])).row_pitch(20), "the tensor needs bytes 0..76 of its buffer, which has 64"),
        (f32(whole(&[2, 4])).row_pitch(52), "the tensor needs bytes 0..68 of its buffer, which has 64"),
        (f32(whole(&[2, 4])).row_pitch(48).at(4), "the tensor needs bytes 4..68 of its buffer, which has 64"),
        (f16(whole(&[2, 3])).row_pitch(58).at(2), "the tensor needs bytes 2..68 of its buffer, which has 64"),
        (f32(shard.clone()).at(8), "the tensor needs bytes 8..68 of its buffer, which has 64"),
        (f32(shard).row_pitch(24).at(4), "the tensor needs bytes 4..72 of its buffer, which has 64"),
        (
            f32(whole(&[2, 4])).row_pitch(1_u64 << 62),
            "the tensor needs bytes 0..4611686018427387920 of its buffer, which has 64",
        ),
        (
            f32(whole(&[2, 4])).row_pitch(-32),
            "the row pitch is -32 (as u64: 18446744073709551584); it must be 0",
        ),
    ] {
        let after = device.sentinel_buffer(64, USAGE);
        device
            .submit(|encoder| {
                for init in [NORMAL, Init::Zeros, Init::Ones] {
                    assert_starts(device.recorder.fill(encoder, &tensor, &init, KEY), message);
                    let fills = [
                        Fill::new(TensorView::f32(&after, [4]), Init::Zeros, KEY),
                        Fill::named("w", tensor.clone(), init, KEY),
                    ];
                    let message = format!("w: {message}");
                    assert_starts(device.recorder.fill_all(encoder, &fills), &message);
                    assert_starts(device.recorder.prepare_all(&fills), &message);
                }
                device.recorder.fill(encoder, &TensorView::f32(&after, [4]).at(24), &NORMAL, KEY)
            })
            .expect("a fill that is right");
        assert_only(&device.read(&buffer), &[], message);
        let expected = Engine::Host.fill([4], &NORMAL, KEY);
        assert_only(&device.read(&after), &[(24, &expected)], message);
    }
    // The end of the tensor takes more than 64 bits. The message names the pitch or the offset, and not the
    // shape.
    for (tensor, value) in [
        (f32(whole(&[5, 4])).row_pitch(1_u64 << 62), "4611686018427387904"),
        (f32(whole(&[4])).at(i64::MAX as u64 - 3), "9223372036854775804"),
    ] {
        device.submit(|encoder| {
            let error = device.recorder.fill(encoder, &tensor, &NORMAL, KEY).expect_err(value).to_string();
            assert!(error.contains(value), "{error:?} does not name {value}");
        });
    }
    let words = TensorView::u32(&buffer, [2, 4]).row_pitch(8);
    device.submit(|encoder| {
        assert_starts(
            device.recorder.fill_words(encoder, &words, KEY),
            "a row pitch of 8 bytes; rows of 4 elements of u32 need a multiple of 4 from 16 on",
        );
    });
    assert_only(&device.read(&buffer), &[], "words");
}
