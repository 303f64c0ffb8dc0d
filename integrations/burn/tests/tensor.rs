//! Fills of tensors: burn reads back the bytes that the host engine writes.

mod common;

use burn::tensor::{DType, Device, Shape, Tensor};
use common::{bytes, host, open};
use seedbed_burn::{Error, Init, Key};

const KEY: Key = Key::new(42);

#[test]
fn every_kind_of_kernel_equals_the_host() {
    let (device, seedbed) = open();
    for (init, shape) in [
        (Init::Zeros, [37, 29]),
        (Init::constant(-2.5), [37, 29]),
        (Init::uniform(-0.5, 0.5), [37, 29]),
        (Init::normal(0.0, 1.0), [333, 257]),
        (Init::trunc_normal(0.0, 1.0, -2.0, 2.0), [64, 65]),
        (Init::xavier_normal(), [128, 512]),
        (Init::Eye, [5, 7]),
        (Init::orthogonal(), [24, 40]),
    ] {
        let tensor: Tensor<2> = seedbed.tensor(shape, &device, &init, KEY).unwrap();
        assert_eq!(tensor.dims(), shape);
        assert_eq!(bytes(tensor), host(&shape, DType::F32, &init, KEY), "{init} {shape:?}");
    }
}

#[test]
fn sixteen_bit_elements_equal_the_host() {
    let (device, seedbed) = open();
    let init = Init::normal(0.0, 1.0);
    for dtype in [DType::F16, DType::BF16] {
        // 33 x 7 elements are an odd number, so the next tensor shares the last word.
        for shape in [[33, 7], [64, 64]] {
            let tensor: Tensor<2> = seedbed.tensor(shape, (&device, dtype), &init, KEY).unwrap();
            assert_eq!(tensor.dtype(), dtype);
            assert_eq!(bytes(tensor), host(&shape, dtype, &init, KEY), "{dtype:?} {shape:?}");
        }
    }
}

#[test]
fn nothing_to_fill() {
    let (device, seedbed) = open();
    let tensor: Tensor<2> = seedbed.tensor([0, 3], &device, &Init::Ones, KEY).unwrap();
    assert_eq!(tensor.dims(), [0, 3]);
}

/// Work that burn has queued but not submitted comes before the fill, and later work comes after the fill,
/// whichever memory burn's pool hands out.
#[test]
fn a_fill_has_its_place_among_burns_work() {
    let (device, seedbed) = open();
    let (shape, init) = ([64, 64], Init::uniform(0.0, 1.0));
    for round in 0..100 {
        let key = KEY.fold_in(round);
        // This work is still queued, and reads and writes memory that the fill may get next.
        let before = Tensor::<2>::full(shape, 1.0, &device) + 2.0;
        let overwritten = before.clone() * 3.0;
        let filled = seedbed.fill(overwritten, &init, key).unwrap();
        let after = filled.clone() * 2.0;
        drop(seedbed.tensor::<2>(shape, &device, &Init::constant(9.0), key).unwrap());
        // The upload may get the memory that was just freed.
        let uploaded = Tensor::<2>::from_data([[7.0, 8.0]], &device);

        let expected = host(&shape, DType::F32, &init, key);
        let doubled: Vec<f32> =
            expected.chunks_exact(4).map(|b| 2.0 * f32::from_ne_bytes(b.try_into().unwrap())).collect();
        assert_eq!(bytes(filled), expected);
        assert_eq!(after.into_data().try_to_vec::<f32>().unwrap(), doubled);
        assert_eq!(before.into_data().try_to_vec::<f32>().unwrap(), [3.0; 64 * 64]);
        assert_eq!(uploaded.into_data().try_to_vec::<f32>().unwrap(), [7.0, 8.0]);
    }
}

#[test]
fn a_tensor_of_another_thread() {
    let (device, seedbed) = open();
    let (shape, init) = ([31, 17], Init::normal(0.0, 1.0));
    for round in 0..20 {
        let key = KEY.fold_in(round);
        let theirs =
            std::thread::scope(|s| s.spawn(|| Tensor::<2>::full(shape, 1.0, &device) + 2.0).join().unwrap());
        let filled = seedbed.fill(theirs, &init, key).unwrap();
        assert_eq!(bytes(filled), host(&shape, DType::F32, &init, key));
    }
}

#[test]
fn a_clone_keeps_its_values() {
    let (device, seedbed) = open();
    let tensor = Tensor::<2>::full([8, 8], 5.0, &device);
    let kept = tensor.clone();
    let filled = seedbed.fill(tensor, &Init::Ones, KEY).unwrap();
    assert_eq!(kept.into_data().try_to_vec::<f32>().unwrap(), [5.0; 64]);
    assert_eq!(filled.into_data().try_to_vec::<f32>().unwrap(), [1.0; 64]);
}

#[test]
fn autodiff_and_its_settings_stay() {
    let (device, seedbed) = open();
    let device = device.autodiff().gradient_checkpointing();
    let tensor = Tensor::<1>::full([6], 5.0, &device).require_grad();
    let filled = seedbed.fill(tensor, &Init::constant(3.0), KEY).unwrap();
    assert_eq!(filled.device(), device);
    assert!(filled.is_require_grad());
    let gradients = filled.clone().powi_scalar(2).sum().backward();
    assert_eq!(filled.grad(&gradients).unwrap().into_data().try_to_vec::<f32>().unwrap(), [6.0; 6]);

    let tensor: Tensor<1> = seedbed.tensor([6], &device, &Init::Ones, KEY).unwrap();
    assert_eq!(tensor.device(), device);
    assert!(!tensor.is_require_grad());
}

#[test]
fn errors_and_working_on_after_them() {
    let (device, seedbed) = open();
    let ones = Init::Ones;

    let turned = Tensor::<2>::full([4, 6], 1.0, &device).transpose();
    let error = seedbed.fill(turned, &ones, KEY).unwrap_err();
    assert!(matches!(&error, Error::NotContiguous { shape, .. } if *shape == [6, 4]), "{error}");

    let double = Tensor::<1>::empty([4], (&device, DType::F64));
    let error = seedbed.fill(double, &ones, KEY).unwrap_err();
    assert!(matches!(error, Error::DType { dtype: DType::F64 }), "{error}");

    let vector: Result<Tensor<1>, _> = seedbed.tensor([4], &device, &Init::xavier_normal(), KEY);
    let error = vector.unwrap_err();
    assert!(matches!(error, Error::Fill(seedbed::Error::TooFewDimensions { .. })), "{error}");

    let elsewhere = Tensor::<1>::empty([4], &Device::wgpu(Default::default()));
    let error = seedbed.fill(elsewhere, &ones, KEY).unwrap_err();
    assert!(matches!(error, Error::Device { .. }), "{error}");

    let tensor: Tensor<1> = seedbed.tensor(Shape::new([4]), &device, &ones, KEY).unwrap();
    assert_eq!(tensor.into_data().try_to_vec::<f32>().unwrap(), [1.0; 4]);
}
