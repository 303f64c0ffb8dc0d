//! The example on every adapter of this machine that has compute shaders: one trial per adapter.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use seedbed::gpu::{self, Gpu};
use seedbed::{Init, Key, host, wgpu};
use seedbed_egui::{REACH, SCREEN, SHAPE, Screen, Weight};

const WEIGHT: Weight = Weight { name: "mlp.weight", init: Init::xavier_normal(), model: Key::new(42) };

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // OpenGL's contexts are used by one thread at a time.
    arguments.test_threads = Some(1);
    let adapters = pollster::block_on(gpu::named_adapters(&wgpu::Instance::default()));
    let trials = adapters.into_iter().filter(|(_, adapter)| {
        adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    });
    let trials = trials.map(|(name, adapter)| Trial::test(name, move || pollster::block_on(check(&adapter))));
    let readme = Trial::test("readme_quotes_the_source", || {
        let (readme, source) = (include_str!("../README.md"), include_str!("../src/lib.rs"));
        let code = readme.split("```").nth(1).ok_or("no code")?;
        code.lines().skip(1).for_each(|line| assert!(source.contains(line), "{line}"));
        Ok(())
    });
    libtest_mimic::run(&arguments, trials.chain([readme]).collect()).exit_code()
}

async fn check(adapter: &wgpu::Adapter) -> Result<(), Failed> {
    let gpu = Gpu::open(adapter).await?;
    let mut screen = Screen::new(&gpu);

    // A fill that fails is reported, and leaves egui's frame usable.
    let corner = screen.frame(&gpu, Weight { init: Init::sparse(2.0), ..WEIGHT }, false).min.round();
    let [left, top] = [corner.x as usize, corner.y as usize];
    let at = |x: usize, y: usize| y * SCREEN[0] as usize + x;
    let heat_map = screen.heat_map().ok_or("no callback was called")?;
    assert!(heat_map.filled.clone().is_err_and(|error| error.to_string().contains("sparsity")));
    let empty = screen.pixels(&gpu).await?;
    assert_eq!(empty[at(left + 3, top + 3)], empty[0], "the heat map of a failed fill");

    // A frame that is lost fills nothing. The frame after it does.
    screen.frame(&gpu, WEIGHT, true);
    screen.frame(&gpu, WEIGHT, false);
    let pixels = screen.pixels(&gpu).await?;
    let heat_map = screen.heat_map().ok_or("no callback was called")?;
    let (weights, fills) = (heat_map.weights.clone(), heat_map.fills);
    assert_eq!(heat_map.filled, Ok(()));
    assert_eq!(fills, 2);

    let mut expected = vec![0_f32; (SHAPE[0] * SHAPE[1]) as usize];
    host::fill(&mut expected, SHAPE, &WEIGHT.init, WEIGHT.model.named(WEIGHT.name))?;
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    assert!(gpu.download(&weights, 0..weights.size()).await? == bytes(&expected), "the weights differ");

    for (index, &weight) in expected.iter().enumerate() {
        let (row, column) = (index / SHAPE[1] as usize, index % SHAPE[1] as usize);
        let pixel = pixels[at(left + 6 * column + 3, top + 6 * row + 3)];
        let near = pixel.iter().zip(colour(weight)).all(|(&a, b)| (f32::from(a) - b).abs() <= 1.5);
        assert!(near, "row {row}, column {column}: {pixel:?}, not {:?}", colour(weight));
    }

    // The texts above the heat map and below it are lighter than the panel.
    let below = top + 6 * SHAPE[0] as usize;
    for text in [&pixels[..at(0, top)], &pixels[at(0, below)..]] {
        let ink = text.iter().filter(|pixel| pixel[0] > 100).count();
        assert!((100..text.len() / 4).contains(&ink), "{ink} pixels of text");
    }

    // The next frame records no fill: a weight that has changed stays changed.
    expected[5] = 2.0 * REACH;
    gpu.queue.write_buffer(&weights, 20, &expected[5].to_le_bytes());
    screen.frame(&gpu, WEIGHT, false);
    assert_eq!(screen.heat_map().map(|heat_map| heat_map.fills), Some(fills));
    assert!(
        gpu.download(&weights, 0..weights.size()).await? == bytes(&expected),
        "the weights were filled again"
    );
    let red = screen.pixels(&gpu).await?[at(left + 6 * 5 + 3, top + 3)];
    assert_eq!(red[..3], colour(2.0 * REACH).map(|channel| channel.round() as u8)[..3]);
    Ok(())
}

/// The colour of heat_map.wgsl, in units of 1/255.
fn colour(weight: f32) -> [f32; 4] {
    let part = weight / REACH;
    let end = if part < 0.0 { [0.11, 0.36, 0.86, 1.0] } else { [0.88, 0.20, 0.16, 1.0] };
    let middle = [0.94, 0.93, 0.90, 1.0];
    std::array::from_fn(|i| 255.0 * (middle[i] + (end[i] - middle[i]) * part.abs().min(1.0)))
}
