//! Draws weights straight from the buffer that they were made in. Render pipelines read the buffer and draw
//! heat maps and histograms, without a copy of the weights in the program's memory. `cargo run --release
//! --example render_weights [PNG [INITIALISERS [ADAPTER]]]`. A semicolon stands between initialisers. The README's
//! picture is `docs/weights.png "xavier_normal(); orthogonal()"`.
//!
//! Only the histograms and the image are read back. The bins must add up, and follow the curve.

use std::error::Error;
use std::path::Path;

use bytemuck::{Pod, Zeroable};
use seedbed::gpu::{self, Gpu};
use seedbed::{Fill, FillRecorder, Init, Key, ScaledDistribution, TensorView, wgpu};
use wgpu::util::DeviceExt;

/// The number of rows, and of columns, of every matrix. Each weight is a square of 2 x 2 pixels.
const ROWS: u64 = 128;
const WEIGHTS: u64 = ROWS * ROWS;

// These constants equal those of render_weights.wgsl.
const PANELS: usize = 8;
const BINS: usize = 64;
const SIDE: f32 = 256.0;
const PLOT_WIDTH: usize = BINS * 6;

// The layout, in pixels.
const MARGIN: f32 = 48.0;
const HEADER: f32 = 44.0;
const TITLE: f32 = 30.0;
const FOOT: f32 = 30.0;
const GAP: f32 = 28.0;
const GUTTER: [f32; 2] = [64.0, 28.0];
const PANEL: [f32; 2] = [SIDE + GAP + PLOT_WIDTH as f32, TITLE + SIDE + FOOT];

/// The background colour, in sRGB as in the shaders.
const BACKGROUND: [f64; 3] = [0.07, 0.08, 0.10];
const INK: [f32; 4] = [0.90, 0.91, 0.93, 1.0];
const FAINT: [f32; 4] = [0.56, 0.59, 0.65, 1.0];
const GRID: [f32; 4] = [0.30, 0.32, 0.37, 1.0];

/// A panel, laid out like `Panel` in the shaders.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Panel {
    heat_map: [f32; 2],
    histogram: [f32; 2],
    first: u32,
    rows: u32,
    centre: f32,
    reach: f32,
    colour_reach: f32,
    full: f32,
    padding: [f32; 2],
}

/// A stroke: a line with round ends, one instance of the stroke pipeline.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Stroke {
    ends: [[f32; 2]; 2],
    colour: [f32; 4],
    radius: f32,
}

/// The theory of an initialiser's values, known without making any.
struct Theory {
    init: Init,
    shape: Vec<u64>,
    /// The fraction of the weights that is 0.
    zeros: f64,
    /// The density of the other weights, which integrates to `1 - zeros`. `None` if there are only a few
    /// distinct values.
    density: Option<Box<dyn Fn(f64) -> f64>>,
    /// The middle of the histogram, and the reach of the histogram and of the colours from there.
    centre: f64,
    reach: f64,
    colour_reach: f64,
    /// The fraction of the weights in a bin as high as the plot.
    full: f64,
}

impl Theory {
    fn of(init: Init) -> Result<Self, Box<dyn Error>> {
        let shape = match init {
            Init::Dirac { .. } => vec![ROWS, ROWS, 1],
            _ => vec![ROWS, ROWS],
        };
        let (mean, std) = (init.mean(&shape)?, init.std(&shape)?);
        let normal = |mean: f64, std: f64| move |x: f64| (-0.5 * ((x - mean) / std).powi(2)).exp();
        let zeros = match init {
            Init::Sparse { sparsity, .. } => (sparsity * ROWS as f64).ceil() / ROWS as f64,
            _ => 0.0,
        };
        // The density up to a constant factor, and the ends of the interval outside which it is 0 or
        // negligible.
        type Law = (Box<dyn Fn(f64) -> f64>, f64, f64);
        let gauss = |std| -> Law { (Box::new(normal(mean, std)), mean - 9.0 * std, mean + 9.0 * std) };
        let uniform = || -> Law {
            let bound = 3_f64.sqrt() * std;
            (Box::new(|_| 1.0), mean - bound, mean + bound)
        };
        let law: Option<Law> = match init {
            _ if std == 0.0 => None,
            Init::Normal { .. } | Init::XavierNormal { .. } | Init::KaimingNormal(_) => Some(gauss(std)),
            Init::Uniform { .. } | Init::XavierUniform { .. } | Init::KaimingUniform(_) => Some(uniform()),
            Init::TruncNormal { mean, std, a, b } => {
                Some((Box::new(normal(mean, std)), a.max(mean - 9.0 * std), b.min(mean + 9.0 * std)))
            }
            Init::Sparse { std, .. } => Some(gauss(std)),
            Init::Orthogonal { gain } => {
                // The density of one coordinate of a random point on the sphere in `ROWS` dimensions.
                let exponent = (ROWS as f64 - 3.0) / 2.0;
                let gain = gain.abs();
                Some((Box::new(move |x| (1.0 - (x / gain).powi(2)).powf(exponent)), -gain, gain))
            }
            Init::VarianceScaling(scaling) => match scaling.distribution {
                ScaledDistribution::Normal => Some(gauss(std)),
                ScaledDistribution::Uniform => Some(uniform()),
                ScaledDistribution::TruncatedNormal => {
                    // The standard deviation of a standard normal distribution cut off at ±2.
                    let std = std / 0.879_625_661_034_24;
                    Some((Box::new(normal(mean, std)), -2.0 * std, 2.0 * std))
                }
                _ => None,
            },
            _ => None,
        };
        let Some((shape_of_density, low, high)) = law else {
            let reach = 2.0 * f64::max(mean.abs(), 1.0);
            let (centre, colour_reach, full) = (0.0, reach / 2.0, 1.0);
            return Ok(Self { init, shape, zeros, density: None, centre, reach, colour_reach, full });
        };
        let scale = (1.0 - zeros) / integral(&shape_of_density, low, high, 10_000);
        let density = move |x: f64| if (low..=high).contains(&x) { scale * shape_of_density(x) } else { 0.0 };
        // In units of std, a normal density is 0.40 high.
        let (reach, full) = (4.0 * std, 0.46 * 8.0 / BINS as f64);
        let density = Some(Box::new(density) as Box<_>);
        Ok(Self { init, shape, zeros, density, centre: mean, reach, colour_reach: 3.0 * std, full })
    }

    /// The value at a part of the plot's width.
    fn value(&self, part: f64) -> f64 {
        self.centre + (2.0 * part - 1.0) * self.reach
    }

    /// The curve at the pixels' edges, in parts of the plot's height.
    fn curve(&self) -> Vec<f32> {
        let bin = 2.0 * self.reach / BINS as f64;
        let at = |edge: usize| match &self.density {
            None => -1.0,
            Some(density) => density(self.value(edge as f64 / PLOT_WIDTH as f64)) * bin / self.full,
        };
        (0..=PLOT_WIDTH).map(|edge| at(edge) as f32).collect()
    }

    /// The greatest distance at the bins' edges between the counted cumulative distribution and this one.
    fn distance(&self, counts: &[u32]) -> Option<f64> {
        let density = self.density.as_ref()?;
        let mut expected = integral(density, self.centre - 12.0 * self.reach, self.value(0.0), 10_000);
        let mut counted = 0.0;
        let mut distance = 0_f64;
        for (bin, &count) in counts.iter().enumerate() {
            let [low, high] = [bin, bin + 1].map(|edge| self.value(edge as f64 / BINS as f64));
            expected += integral(density, low, high, 64);
            expected += if (low..high).contains(&0.0) { self.zeros } else { 0.0 };
            counted += f64::from(count) / WEIGHTS as f64;
            // The last bin also holds everything beyond it.
            if bin + 1 < BINS {
                distance = distance.max((counted - expected).abs());
            }
        }
        Some(distance)
    }
}

/// The integral by the midpoint rule.
fn integral(f: impl Fn(f64) -> f64, low: f64, high: f64, steps: u32) -> f64 {
    let step = (high - low) / f64::from(steps);
    (0..steps).map(|i| f(low + (f64::from(i) + 0.5) * step)).sum::<f64>() * step
}

/// Letters as lines: a character, then its polylines, each point an x of 0 to 4 and a y of 0 (the top of a
/// `b`) over 6 (the baseline) to 8. There are no capitals.
const LETTERS: &str = "\
a 1232434616051444;b 00063645433202;c 42120305163646;d 40461605031242;e 04444332120305163646;f 40302126 0343;\
g 461605031242473808;h 0006 0312324346;i 2226 2020;j 32372818 3030;k 0006 4204 1446;l 20253646;\
m 0602 03122326 23324346;n 0602 0312324346;o 123243453616050312;p 08023243453606;q 48421203051646;r 0602 04133242;\
s 4212031434453606;t 10152636 0242;u 0205163645 4246;v 022642;w 0216233642;x 0246 4206;y 0205163645 42473808;\
z 02420646;0 103041453616050110;1 112026 1636;2 01103041420646;3 0110304142334445361605 3313;4 36300444;\
5 400003334445361605;6 3010010516364544331304;7 004016;8 103041423313020110 13040516364544 4433;\
9 16364541301001021342;( 30212536;) 10212516;[ 30202636;] 10202616;= 0343 0545;, 252617;. 2626;_ 0747;- 0444;+ 2226 0444;\
: 2323 2626;/ 4006;";

const LETTER_WIDTH: f32 = 12.0;

/// The strokes of a line of text whose first letter's top left corner is at `x`, `y`.
fn write(text: &str, [x, y]: [f32; 2], colour: [f32; 4], strokes: &mut Vec<Stroke>) {
    const UNIT: f32 = 1.9;
    for (index, letter) in text.chars().enumerate() {
        let letter = letter.to_ascii_lowercase();
        let Some(lines) = LETTERS.split(';').find_map(|entry| entry.strip_prefix(letter)) else { continue };
        for line in lines.split_whitespace() {
            let digits: Vec<f32> = line.bytes().map(|digit| f32::from(digit - b'0')).collect();
            let point = |pair: &[f32]| {
                [x + index as f32 * LETTER_WIDTH + UNIT * pair[0] + 1.0, y + UNIT * pair[1] + 1.0]
            };
            let points: Vec<[f32; 2]> = digits.chunks_exact(2).map(point).collect();
            let segments = points.windows(2).map(|ends| [ends[0], ends[1]]);
            strokes.extend(segments.map(|ends| Stroke { ends, colour, radius: 0.8 }));
        }
    }
}

fn width_of(text: &str) -> f32 {
    text.chars().count() as f32 * LETTER_WIDTH
}

/// The corner of a panel's heat map, and the size of the whole image.
fn place(index: usize, panels: usize) -> ([f32; 2], [u32; 2]) {
    let columns = panels.min(2);
    let corner = |cell: [usize; 2]| {
        let at = |axis: usize| MARGIN + cell[axis] as f32 * (PANEL[axis] + GUTTER[axis]);
        [at(0), at(1) + HEADER]
    };
    let [x, y] = corner([index % columns, index / columns]);
    let [width, height] = corner([columns, panels.div_ceil(columns)]);
    let size = [width - GUTTER[0] + MARGIN, height - GUTTER[1] + MARGIN - FOOT / 2.0];
    ([x, y + TITLE], size.map(|length| length as u32))
}

fn panel(index: usize, panels: usize, theory: &Theory) -> Panel {
    let (heat_map, _) = place(index, panels);
    Panel {
        heat_map,
        histogram: [heat_map[0] + SIDE + GAP, heat_map[1]],
        first: index as u32 * WEIGHTS as u32,
        rows: ROWS as u32,
        centre: theory.centre as f32,
        reach: theory.reach as f32,
        colour_reach: theory.colour_reach as f32,
        full: theory.full as f32,
        padding: [0.0; 2],
    }
}

/// Adds a panel's title, axes and numbers to `text`, which is drawn over the histogram, and the grid to
/// `grid`, which is drawn under it.
fn label(panel: &Panel, theory: &Theory, grid: &mut Vec<Stroke>, text: &mut Vec<Stroke>) {
    let [x, y] = panel.histogram;
    let title = theory.init.to_string();
    write(&title, [panel.heat_map[0], y - TITLE], INK, text);
    if theory.zeros > 0.0 {
        let note = format!("0: {:.3}", theory.zeros);
        write(&note, [x + PLOT_WIDTH as f32 - width_of(&note) - 8.0, y + 8.0], FAINT, text);
    }
    let bottom = y + SIDE + 0.5;
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let at = x + (PLOT_WIDTH as f32 * tick).round() - 0.5;
        grid.push(Stroke { ends: [[at, y], [at, bottom]], colour: GRID, radius: 0.5 });
        text.push(Stroke { ends: [[at, bottom], [at, bottom + 5.0]], colour: FAINT, radius: 0.5 });
        let number = significant(theory.value(tick.into()));
        let left = at - width_of(&number) / 2.0 + 1.0;
        write(&number, [left, bottom + 10.0], FAINT, text);
    }
    let ends = [[x, bottom], [x + PLOT_WIDTH as f32, bottom]];
    text.push(Stroke { ends, colour: FAINT, radius: 0.5 });
}

/// A number with three significant digits.
fn significant(value: f64) -> String {
    if value.abs() < 1e-12 {
        return "0".into();
    }
    if !(1e-3..1e4).contains(&value.abs()) {
        return format!("{value:.1e}");
    }
    let digits = (2.0 - value.abs().log10().floor()).max(0.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// An image on its way from the device: rows of bytes with wgpu's padding.
struct Image {
    width: u32,
    buffer: wgpu::Buffer,
}

impl Image {
    fn stride(width: u32) -> u32 {
        (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)
    }

    fn copy(gpu: &Gpu, encoder: &mut wgpu::CommandEncoder, texture: &wgpu::Texture) -> Self {
        let [width, height] = [texture.width(), texture.height()];
        let stride = Self::stride(width);
        let buffer = gpu.storage_buffer(u64::from(stride) * u64::from(height));
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(stride), rows_per_image: None };
        let target = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(texture.as_image_copy(), target, texture.size());
        Self { width, buffer }
    }

    /// The pixels, row by row.
    async fn download(&self, gpu: &Gpu) -> Result<Vec<u8>, seedbed::Error> {
        let bytes = gpu.download(&self.buffer, 0..self.buffer.size()).await?;
        let rows = bytes.chunks_exact(Self::stride(self.width) as usize);
        Ok(rows.flat_map(|row| &row[..4 * self.width as usize]).copied().collect())
    }
}

fn save(path: &Path, [width, height]: [u32; 2], pixels: &[u8]) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut encoder = png::Encoder::new(file, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(())
}

/// The scene: the buffers that the shaders read, and the numbers of things to draw.
struct Scene {
    /// The number of panels.
    panels: u32,
    panel_buffer: wgpu::Buffer,
    weights: wgpu::Buffer,
    bins: wgpu::Buffer,
    densities: wgpu::Buffer,
    strokes: wgpu::Buffer,
    /// The number of strokes under the histograms; the strokes over the histograms follow.
    under: u32,
    over: u32,
}

impl Scene {
    /// A scene, made before there are weights.
    fn new(gpu: &Gpu, theories: &[Theory], panels: &[Panel], header: &str, weights: wgpu::Buffer) -> Self {
        let (mut under, mut over) = (Vec::new(), Vec::new());
        write(header, [MARGIN, MARGIN - 8.0], FAINT, &mut over);
        for (panel, theory) in panels.iter().zip(theories) {
            label(panel, theory, &mut under, &mut over);
        }
        let strokes: Vec<Stroke> = under.iter().chain(&over).copied().collect();
        let curves: Vec<f32> = theories.iter().flat_map(Theory::curve).collect();
        let upload = |label, contents: &[u8], usage| {
            let descriptor = wgpu::util::BufferInitDescriptor { label: Some(label), contents, usage };
            gpu.device.create_buffer_init(&descriptor)
        };
        use wgpu::BufferUsages as Usage;
        let mut slots = [Panel::zeroed(); PANELS];
        slots[..panels.len()].copy_from_slice(panels);
        Self {
            panels: panels.len() as u32,
            panel_buffer: upload("panels", bytemuck::cast_slice(&slots), Usage::UNIFORM),
            weights,
            // A new buffer holds zeros.
            bins: gpu.storage_buffer(4 * (BINS * panels.len()) as u64),
            densities: upload("densities", bytemuck::cast_slice(&curves), Usage::STORAGE),
            strokes: upload("strokes", bytemuck::cast_slice(&strokes), Usage::VERTEX),
            under: under.len() as u32,
            over: over.len() as u32,
        }
    }
}

/// The pipelines, for images of one size.
struct Renderer {
    device: wgpu::Device,
    texture: wgpu::Texture,
    count: wgpu::ComputePipeline,
    heat_map: wgpu::RenderPipeline,
    histogram: wgpu::RenderPipeline,
    stroke: wgpu::RenderPipeline,
}

impl Renderer {
    fn new(device: &wgpu::Device, [width, height]: [u32; 2]) -> Self {
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("image"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            // Shaders write and blend linear light; this format stores the result as sRGB.
            format: wgpu::TextureFormat::Rgba8UnormSrgb,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let module = device.create_shader_module(wgpu::include_wgsl!("render_weights.wgsl"));
        let count = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("count"),
            layout: None,
            module: &module,
            entry_point: Some("count"),
            compilation_options: Default::default(),
            cache: None,
        });
        let render = |vertex, fragment, buffers: &[_]| {
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(fragment),
                layout: None,
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some(vertex),
                    compilation_options: wgpu::PipelineCompilationOptions {
                        constants: &[("width", width.into()), ("height", height.into())],
                        ..Default::default()
                    },
                    buffers,
                },
                primitive: wgpu::PrimitiveState {
                    topology: wgpu::PrimitiveTopology::TriangleStrip,
                    ..Default::default()
                },
                depth_stencil: None,
                multisample: Default::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(fragment),
                    compilation_options: Default::default(),
                    targets: &[Some(wgpu::ColorTargetState {
                        format: texture.format(),
                        blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                        write_mask: wgpu::ColorWrites::ALL,
                    })],
                }),
                multiview_mask: None,
                cache: None,
            })
        };
        let strokes = wgpu::VertexBufferLayout {
            array_stride: size_of::<Stroke>() as u64,
            step_mode: wgpu::VertexStepMode::Instance,
            attributes: &wgpu::vertex_attr_array![0 => Float32x4, 1 => Float32x4, 2 => Float32],
        };
        Self {
            device: device.clone(),
            count,
            heat_map: render("heat_map_corner", "heat_map", &[]),
            histogram: render("histogram_corner", "histogram", &[]),
            stroke: render("stroke_corner", "stroke", &[Some(strokes)]),
            texture,
        }
    }

    /// Records the counting and the drawing, after whatever wrote the weights.
    fn draw(&self, encoder: &mut wgpu::CommandEncoder, scene: &Scene) {
        let (panels, weights) = ((0, &scene.panel_buffer), (1, &scene.weights));
        let count = self.bind(self.count.get_bind_group_layout(0), &[panels, weights, (2, &scene.bins)]);
        let heat_map = self.bind(self.heat_map.get_bind_group_layout(0), &[panels, weights]);
        let histogram = self.bind(
            self.histogram.get_bind_group_layout(0),
            &[panels, (3, &scene.bins), (4, &scene.densities)],
        );

        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.count);
        pass.set_bind_group(0, &count, &[]);
        pass.dispatch_workgroups(WEIGHTS.div_ceil(256) as u32, scene.panels, 1);
        drop(pass);

        // A clear colour is linear light, too. The formula is sRGB's curve above 0.04.
        let [r, g, b] = BACKGROUND.map(|c| ((c + 0.055) / 1.055).powf(2.4));
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &self.texture.create_view(&Default::default()),
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a: 1.0 }),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..Default::default()
        });
        pass.set_vertex_buffer(0, scene.strokes.slice(..));
        pass.set_pipeline(&self.stroke);
        pass.draw(0..4, 0..scene.under);
        pass.set_pipeline(&self.heat_map);
        pass.set_bind_group(0, &heat_map, &[]);
        pass.draw(0..4, 0..scene.panels);
        pass.set_pipeline(&self.histogram);
        pass.set_bind_group(0, &histogram, &[]);
        pass.draw(0..4, 0..scene.panels);
        pass.set_pipeline(&self.stroke);
        pass.draw(0..4, scene.under..scene.under + scene.over);
    }

    fn bind(&self, layout: wgpu::BindGroupLayout, buffers: &[(u32, &wgpu::Buffer)]) -> wgpu::BindGroup {
        let entries: Vec<_> = buffers
            .iter()
            .map(|&(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        })
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "target/render_weights.png".into());
    let inits: Vec<Init> = match arguments.next().filter(|text| !text.is_empty()) {
        Some(text) => text.split(';').map(|init| init.trim().parse()).collect::<Result<_, _>>()?,
        None => vec![
            Init::xavier_normal(),
            Init::xavier_uniform(),
            Init::trunc_normal(0.0, 1.0, -2.0, 2.0),
            Init::orthogonal(),
            Init::sparse(0.3),
            Init::Eye,
        ],
    };
    if inits.len() > PANELS {
        return Err(format!("{} initialisers; the image has room for {PANELS}", inits.len()).into());
    }
    let theories: Vec<Theory> = inits.into_iter().map(Theory::of).collect::<Result<_, _>>()?;
    let instance = wgpu::Instance::default();
    let adapter = gpu::pick(&instance, arguments.next().as_deref()).await?;
    let gpu = Gpu::open(&adapter).await?;
    let mut encoder = gpu.device.create_command_encoder(&Default::default());

    // One buffer holds all weights. The recorder writes it, the shaders read it, and nothing else touches it.
    let weights = gpu.storage_buffer(4 * WEIGHTS * theories.len() as u64);
    let model = Key::new(42);
    let fills = (0..).zip(&theories).map(|(index, theory)| {
        let tensor = TensorView::f32(&weights, &theory.shape).at(4 * WEIGHTS * index);
        Fill::named(theory.init.to_string(), tensor, theory.init, model)
    });
    FillRecorder::new(&gpu.device).fill_all(&mut encoder, &fills.collect::<Vec<_>>())?;

    let (_, size) = place(0, theories.len());
    let panels: Vec<Panel> =
        theories.iter().enumerate().map(|(index, theory)| panel(index, theories.len(), theory)).collect();
    let header = format!("seed {}, [{ROWS}, {ROWS}], f32", model.seed);
    let scene = Scene::new(&gpu, &theories, &panels, &header, weights);
    let renderer = Renderer::new(&gpu.device, size);
    renderer.draw(&mut encoder, &scene);
    let image = Image::copy(&gpu, &mut encoder, &renderer.texture);
    gpu.queue.submit([encoder.finish()]);

    let pixels = image.download(&gpu).await?;
    save(path.as_ref(), size, &pixels)?;
    let counts = gpu.download(&scene.bins, 0..scene.bins.size()).await?;
    let counts: Vec<u32> = bytemuck::pod_collect_to_vec(&counts);
    for ((theory, panel), counts) in theories.iter().zip(&panels).zip(counts.chunks(BINS)) {
        check_histogram(theory, counts)?;
        check_heat_map(panel, size, &pixels).map_err(|error| format!("{}: {error}", theory.init))?;
    }
    println!("{path}: {} x {} pixels, by {}", size[0], size[1], gpu::name(&adapter.get_info()));
    Ok(())
}

/// Checks that every weight is in a bin, and that the bins follow the curve: within the bound of the
/// Kolmogorov–Smirnov test for an alpha of 0.001. Seed and bound are fixed, so a test that passes once always
/// passes.
fn check_histogram(theory: &Theory, counts: &[u32]) -> Result<(), String> {
    let init = &theory.init;
    let sum = counts.iter().map(|&count| u64::from(count)).sum::<u64>();
    if sum != WEIGHTS {
        return Err(format!("{init}: the bins hold {sum} weights of {WEIGHTS}"));
    }
    let bound = 1.95 / (WEIGHTS as f64).sqrt();
    match theory.distance(counts) {
        Some(distance) if distance > bound => {
            Err(format!("{init}: the histogram is {distance:.4} from the curve, more than {bound:.4}"))
        }
        Some(distance) => {
            println!("{init}: {sum} weights, at most {distance:.4} from the curve");
            Ok(())
        }
        None => {
            println!("{init}: {sum} weights");
            Ok(())
        }
    }
}

/// Checks that the heat map covers its area: no pixel there has the colour of the background, the image's
/// first pixel.
fn check_heat_map(panel: &Panel, [width, _]: [u32; 2], pixels: &[u8]) -> Result<(), String> {
    let (pixels, _) = pixels.as_chunks::<4>();
    let [x, y] = panel.heat_map.map(|position| position as usize);
    let side = SIDE as usize;
    let rows = pixels.chunks(width as usize).skip(y).take(side);
    match rows.flat_map(|row| &row[x..x + side]).any(|pixel| *pixel == pixels[0]) {
        true => Err("the heat map has holes".into()),
        false => Ok(()),
    }
}

fn main() {
    if let Err(error) = pollster::block_on(run()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}
