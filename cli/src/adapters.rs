//! `seedbed adapters`: the adapters that `--adapter` can choose.

use seedbed::{gpu, wgpu};
use serde::Serialize;

use crate::failure::Failure;
use crate::report::table;
use crate::select::{self, Named};
use crate::stdout;

/// A row of the list: an adapter, its driver, and the limits that matter.
#[derive(Serialize)]
pub struct Row {
    /// The name that `--adapter` matches.
    name: String,
    backend: String,
    device_type: String,
    /// Whether the adapter computes on the CPU.
    software: bool,
    driver: String,
    /// Whether the adapter has `SHADER_INT64`. Fills are faster with it; the bits are the same.
    int64: bool,
    limits: Option<Limits>,
}

#[derive(Serialize)]
struct Limits {
    max_storage_buffer_binding_size: u64,
    max_buffer_size: u64,
    max_compute_workgroups_per_dimension: u32,
}

impl Row {
    fn host() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            name: "host".into(),
            backend: "host".into(),
            device_type: "Cpu".into(),
            software: true,
            driver: format!("seedbed {}, {threads} threads", env!("CARGO_PKG_VERSION")),
            int64: true,
            limits: None,
        }
    }

    pub fn of(Named { name, adapter }: &Named) -> Self {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        Self {
            name: name.clone(),
            backend: info.backend.to_str().into(),
            device_type: format!("{:?}", info.device_type),
            software: gpu::is_software(&info),
            driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
            int64: adapter.features().contains(wgpu::Features::SHADER_INT64),
            limits: Some(Limits {
                max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
                max_buffer_size: limits.max_buffer_size,
                max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            }),
        }
    }

    fn cells(&self) -> [String; 7] {
        let limit = |of: fn(&Limits) -> String| self.limits.as_ref().map_or_else(|| "-".into(), of);
        [
            self.name.clone(),
            format!(
                "{}{}",
                self.device_type,
                if self.software && self.device_type != "Cpu" { " (software)" } else { "" }
            ),
            self.driver.clone(),
            if self.int64 { "yes" } else { "no" }.into(),
            limit(|l| mebibytes(l.max_storage_buffer_binding_size)),
            limit(|l| mebibytes(l.max_buffer_size)),
            limit(|l| l.max_compute_workgroups_per_dimension.to_string()),
        ]
    }
}

/// Prints the adapters in the order in which `auto` tries them: real GPUs first.
pub fn print(json: bool) -> Result<(), Failure> {
    let rows: Vec<_> = select::all().iter().map(Row::of).chain([Row::host()]).collect();
    let text = if json {
        serde_json::to_string_pretty(&rows).map_err(Failure::run)?
    } else {
        let header = ["adapter", "type", "driver", "int64", "max binding", "max buffer", "max workgroups"];
        let mut table = table(header);
        table.add_rows(rows.iter().map(Row::cells));
        table.trim_fmt()
    };
    stdout::print(&format!("{text}\n"))
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
