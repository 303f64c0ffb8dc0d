//! burn's float tensors -> cubecl tensors, and back, with fusion or without.

use burn::backend::wgpu::CubeTensor;
use burn::backend::{DispatchTensor, Wgpu};
use burn::tensor::Tensor;

use crate::Error;

/// The cubecl tensor of a float tensor of the wgpu backend. With fusion, a tensor may not be computed yet:
/// this call hands all operations that its values depend on to cubecl. The result is the memory's
/// only owner if `tensor` was.
pub(crate) fn into_cube<const D: usize>(tensor: Tensor<D>) -> Result<CubeTensor, Error> {
    let primitive = tensor.try_into_primitive::<Wgpu>().map_err(|e| Error::Burn {
        operation: "hand out the tensor's primitive",
        reason: format!("{e:?}"),
    })?;
    Ok(resolve(primitive))
}

/// The float tensor of a cubecl tensor.
pub(crate) fn from_cube<const D: usize>(tensor: CubeTensor) -> Tensor<D> {
    Tensor::from_primitive::<Wgpu>(register(tensor))
}

/// Removes the autodiff association from a tensor. The second result is a function that restores the
/// association; the restored tensor is a new leaf.
pub(crate) fn without_autodiff<const D: usize>(
    tensor: Tensor<D>,
) -> (Tensor<D>, impl FnOnce(Tensor<D>) -> Tensor<D>) {
    let require_grad = tensor.is_require_grad();
    let dispatch = tensor.into_dispatch();
    let context = dispatch.autodiff;
    let enabled = is_autodiff(&dispatch);
    let inner = Tensor::from_dispatch(dispatch).without_autodiff();
    let restore = move |tensor: Tensor<D>| {
        if !enabled {
            return tensor;
        }
        // `autodiff()` alone would forget the strategy of gradient checkpointing.
        let lifted = DispatchTensor { autodiff: context, ..tensor.autodiff().into_dispatch() };
        Tensor::from_dispatch(lifted).set_require_grad(require_grad)
    };
    (inner, restore)
}

/// Whether a tensor has an autodiff association. Without burn's feature `autodiff` no tensor has one.
fn is_autodiff(tensor: &DispatchTensor) -> bool {
    tensor.autodiff != Default::default()
}

#[cfg(not(feature = "fusion"))]
fn resolve(tensor: CubeTensor) -> CubeTensor {
    tensor
}

#[cfg(not(feature = "fusion"))]
fn register(tensor: CubeTensor) -> CubeTensor {
    tensor
}

#[cfg(feature = "fusion")]
type FusionTensor = burn::backend::tensor::FloatTensor<Wgpu>;

#[cfg(feature = "fusion")]
fn resolve(tensor: FusionTensor) -> CubeTensor {
    let client = tensor.client.clone();
    client.resolve_tensor_float::<burn::backend::wgpu::CubeBackend>(tensor)
}

/// Registers a tensor with fusion, in the same way as burn's `float_from_data`.
#[cfg(feature = "fusion")]
fn register(tensor: CubeTensor) -> FusionTensor {
    use burn::backend::TensorMetadata;
    use burn::backend::fusion::stream::StreamId;
    use burn::backend::fusion::{NoOp, get_client};
    use burn::backend::ir::{BackendIr, InitOperationIr, OperationIr, OperationOutput};
    use burn::backend::wgpu::CubeBackend;

    let client = get_client::<CubeBackend>(&tensor.device);
    let (shape, dtype) = (tensor.shape(), tensor.dtype);
    let handle = CubeBackend::float_tensor_handle(tensor);
    let init = InitOperationIr::create(shape, dtype, || client.register_tensor_handle(handle));
    client.register(StreamId::current(), OperationIr::Init(init), NoOp::<CubeBackend>::new()).output()
}
