//! The measurement of the host, on all cores.

use std::time::Instant;

use seedbed::{Region, host};
use seedbed_cli::bench::cases::{KEY, Work, shape};
use seedbed_cli::bench::host::{memory, memset, threads};

use super::report::{EngineReport, Row};
use super::{capacity, grown, point, sizes, windows};

pub fn measure(max: u64) -> anyhow::Result<EngineReport> {
    let (sizes, capacity, threads) = (sizes(max)?, capacity(max, u64::MAX), threads());
    let mut memory = memory(capacity)?;
    let mut once = |work, elements| {
        let (shape, start) = (shape(elements), Instant::now());
        for window in windows(elements, capacity) {
            let memory = &mut memory[..(window.end - window.start) as usize];
            match work {
                Work::Fill(init) => {
                    let region = Region::new(&shape[..]).elements(window);
                    host::fill::<f32>(bytemuck::cast_slice_mut(memory), region, &init, KEY)?;
                }
                _ => memset(memory, 0, threads),
            }
        }
        Ok((start.elapsed().as_secs_f64(), None))
    };
    let mut point = |work, elements| point(elements, capacity, |_| once(work, elements));
    let mut rows = Vec::new();
    for case in grown() {
        let points =
            sizes.iter().map(|&elements| point(case.work, elements)).collect::<anyhow::Result<_>>()?;
        rows.push(Row::new(case.name, case.dtype, points));
    }
    let driver = format!("{threads} threads");
    Ok(EngineReport { name: "host".into(), driver, window_elements: capacity, rows })
}
