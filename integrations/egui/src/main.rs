//! Draws two frames of a user interface and writes the second one as a PNG.
//! `cargo run --release -p seedbed-egui [PNG [ADAPTER]]`.

use std::error::Error;
use std::path::Path;

use seedbed::gpu::{self, Gpu};
use seedbed::{Init, Key, wgpu};
use seedbed_egui::{SCREEN, Screen, Weight};

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "target/egui.png".into());
    let (name, adapter) = gpu::pick_named(&wgpu::Instance::default(), arguments.next().as_deref()).await?;
    let gpu = Gpu::open(&adapter).await?;

    let weight = Weight { name: "mlp.weight", init: Init::xavier_normal(), model: Key::new(42) };
    let mut screen = Screen::new(&gpu);
    for frame in 1..=2 {
        screen.frame(&gpu, weight, false);
        let heat_map = screen.heat_map().ok_or("egui did not call `prepare`")?;
        // The error of a fill comes out of `prepare` here.
        heat_map.filled.clone().map_err(|error| format!("{}: {error}", weight.name))?;
        println!("frame {frame}: {} fill(s) recorded so far", heat_map.fills);
    }

    let pixels = screen.pixels(&gpu).await?;
    if let Some(folder) = Path::new(&path).parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    let mut encoder = png::Encoder::new(file, SCREEN[0], SCREEN[1]);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    encoder.write_header()?.write_image_data(pixels.as_flattened())?;
    println!("{path}: {} x {} pixels, by {name}", SCREEN[0], SCREEN[1]);
    Ok(())
}

fn main() {
    if let Err(error) = pollster::block_on(run()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}
