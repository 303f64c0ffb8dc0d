//! Fills one weight on the best adapter and prints a few of its values: `cargo run --example quickstart`.

use seedbed::{Error, FillRecorder, Init, Key, TensorView, gpu, wgpu};

async fn run() -> Result<(), Error> {
    let instance = wgpu::Instance::default();
    let adapter = gpu::pick(&instance, std::env::args().nth(1).as_deref()).await?;
    let gpu = gpu::Gpu::open(&adapter).await?;

    let shape = [768, 3072];
    let key = Key::new(42).named("mlp.weight");
    let buffer = gpu.storage_buffer(4 * shape[0] * shape[1]);
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    FillRecorder::new(&gpu.device).fill(
        &mut encoder,
        &TensorView::f32(&buffer, shape),
        &Init::xavier_normal(),
        key,
    )?;
    gpu.queue.submit([encoder.finish()]);

    let bytes = gpu.download(&buffer, 0..buffer.size()).await?;
    let weights: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    println!("{}: {:?} …", gpu::name(&adapter.get_info()), &weights[..4]);

    let mut on_the_host = vec![0.0; weights.len()];
    seedbed::host::fill(&mut on_the_host, shape, &Init::xavier_normal(), key)?;
    assert_eq!(weights, on_the_host);
    println!("the host engine makes the same {} weights, bit for bit", weights.len());
    Ok(())
}

fn main() {
    if let Err(error) = pollster::block_on(run()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}
