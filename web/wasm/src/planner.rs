//! Planning: fills of a page's buffers -> a program.

use std::mem;
use std::sync::Arc;

use seedbed::program::{
    Content, Contents, Destination, Device, DeviceClass, FillSpec, Kernel, Limits, Placement,
};
use seedbed::{DType, Error, Init, Key, Math};
use wasm_bindgen::prelude::*;

use crate::tensor::placement;
use crate::thrown;

/// The planner of one device. JavaScript adds fills, plans them, and takes the parts of the plan.
#[wasm_bindgen]
pub struct Planner {
    planner: seedbed::program::Planner,
    /// The fills of the next plan.
    fills: Vec<Fill>,
    /// Every kernel that a plan has had.
    kernels: Vec<Arc<Kernel>>,
    plan: Plan,
}

struct Fill {
    name: Option<String>,
    destination: Destination,
    placement: Placement<'static>,
    init: Init,
    key: Key,
}

/// The parts of a plan that are not handed over as JSON.
#[derive(Default)]
struct Plan {
    kernels: Vec<u32>,
    words: Vec<Option<Arc<Vec<u32>>>>,
}

#[wasm_bindgen]
impl Planner {
    /// A planner for a device with these limits, in the order of the fields of [`Limits`].
    #[wasm_bindgen(constructor)]
    pub fn new(limits: &[f64]) -> Result<Self, JsError> {
        let &[a, b, c, d, e, f, g, h, i, j] = limits else {
            return Err(JsError::new("ten limits are needed"));
        };
        // The casts saturate. No plan needs a limit beyond u32 where the field is a u32.
        let limits = Limits {
            max_buffer_size: a as u64,
            max_storage_buffer_binding_size: b as u64,
            max_uniform_buffer_binding_size: c as u64,
            max_storage_buffers_per_shader_stage: d as u32,
            max_compute_workgroup_storage_size: e as u32,
            max_compute_invocations_per_workgroup: f as u32,
            max_compute_workgroup_size_x: g as u32,
            max_compute_workgroups_per_dimension: h as u32,
            min_storage_buffer_offset_alignment: i as u32,
            min_uniform_buffer_offset_alignment: j as u32,
        };
        let device = Device { limits, int64: false, class: DeviceClass::Gpu };
        let planner = seedbed::program::Planner::new(device, Math::Portable);
        Ok(Self { planner, fills: Vec::new(), kernels: Vec::new(), plan: Plan::default() })
    }

    /// Forgets the fills of a plan that was not made.
    pub fn clear(&mut self) {
        self.fills.clear();
    }

    /// Adds a fill to the next plan.
    #[expect(clippy::too_many_arguments, reason = "an object would cost more code on both sides")]
    pub fn add(
        &mut self,
        name: Option<String>,
        seed: u64,
        offset: u64,
        buffer: u32,
        size: u64,
        can_clear: bool,
        dtype: &str,
        init: &str,
        numbers: &[u64],
    ) -> Result<(), JsError> {
        let parts = || Ok((init.parse::<Init>()?, placement(dtype.parse::<DType>()?, numbers)?));
        let (init, placement) = parts().map_err(|error: Error| {
            let fill = name.clone().unwrap_or_else(|| format!("fill {}", self.fills.len()));
            thrown(Error::Fill { fill, error: error.into() })
        })?;
        let destination = Destination { buffer, size, can_clear };
        self.fills.push(Fill { name, destination, placement, init, key: Key { seed, offset } });
        Ok(())
    }

    /// The byte after the last one of the fill that was added last, in a buffer of any size.
    pub fn end(&self) -> Result<u64, JsError> {
        let Some(fill) = self.fills.last() else { return Ok(0) };
        Ok(fill.placement.bytes(u64::MAX).map_err(thrown)?.end)
    }

    /// Plans the fills that were added. The result is the program in JSON, without kernels and without words,
    /// which [`Self::kernels`] and [`Self::words`] give.
    pub fn plan(&mut self) -> Result<String, JsError> {
        let fills = mem::take(&mut self.fills);
        let specs: Vec<_> = fills
            .iter()
            .map(|fill| FillSpec {
                name: fill.name.as_deref(),
                destination: fill.destination,
                placement: &fill.placement,
                content: Content::Init(&fill.init),
                key: fill.key,
            })
            .collect();
        let mut program = self.planner.plan(&specs).map_err(thrown)?;
        let kernels = mem::take(&mut program.kernels);
        let words = program.buffers.iter_mut().map(|buffer| {
            match mem::replace(&mut buffer.contents, Contents::Zeros) {
                Contents::Words(words) => Some(words),
                _ => None,
            }
        });
        self.plan =
            Plan { kernels: kernels.iter().map(|kernel| kernel.id).collect(), words: words.collect() };
        for kernel in kernels {
            if self.kernel_of(kernel.id).is_none() {
                self.kernels.push(kernel);
            }
        }
        Ok(serde_json::to_string(&program)?)
    }

    /// The ids of the plan's kernels.
    pub fn kernels(&self) -> Vec<u32> {
        self.plan.kernels.clone()
    }

    /// The words of the plan's own buffer of this number, counted from 0; nothing for a buffer of zeros.
    pub fn words(&mut self, buffer: usize) -> Option<Vec<u32>> {
        let words = self.plan.words.get_mut(buffer)?.take()?;
        Some(Arc::unwrap_or_clone(words))
    }

    /// A kernel of some plan, in JSON.
    pub fn kernel(&self, id: u32) -> Result<String, JsError> {
        let kernel = self.kernel_of(id).ok_or_else(|| JsError::new("no plan has had this kernel"))?;
        Ok(serde_json::to_string(&**kernel)?)
    }
}

impl Planner {
    fn kernel_of(&self, id: u32) -> Option<&Arc<Kernel>> {
        self.kernels.iter().find(|kernel| kernel.id == id)
    }
}
