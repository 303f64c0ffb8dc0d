//! An example of seedbed inside a host program: egui. [`Weight`] is a paint callback of `egui_wgpu`. The
//! callback records the fill of a weight into egui's own command encoder, and draws the weight in egui's own
//! render pass. [`Screen`] stands for the host program (eframe, say), without a window.

use std::sync::atomic::{AtomicBool, Ordering};

use egui::{PaintCallbackInfo, Rect, Vec2};
use egui_wgpu::{Callback, CallbackResources, CallbackTrait, Renderer, RendererOptions, ScreenDescriptor};
use seedbed::gpu::Gpu;
use seedbed::{Error, FillRecorder, Init, Key, TensorView, wgpu};

/// The shape of the weight.
pub const SHAPE: [u64; 2] = [64, 64];
/// The weight that has the full colour: three standard deviations of `xavier_normal` for [`SHAPE`].
pub const REACH: f32 = 0.375;
/// The size of the screen in pixels. A row is a multiple of 256 bytes, because copies to buffers need that.
pub const SCREEN: [u32; 2] = [448, 528];
/// The width and the height of the heat map: each weight has 6 x 6 pixels.
const SIDE: f32 = 384.0;
/// The format that egui prefers.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// A paint callback that initialises a weight and draws the weight. A program makes one in every frame, as it
/// makes every other widget.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// The name, from which the weight's own key comes.
    pub name: &'static str,
    /// The initialiser.
    pub init: Init,
    /// The key of the model.
    pub model: Key,
}

/// The state that lasts from frame to frame, in egui's `callback_resources`.
#[derive(Debug)]
pub struct HeatMap {
    /// The buffer that the fill writes and the fragment shader reads.
    pub weights: wgpu::Buffer,
    /// The result of the last fill. `prepare` has no result of its own, so the program looks here.
    pub filled: Result<(), Error>,
    /// The number of fills that were recorded.
    pub fills: u32,
    recorder: FillRecorder,
    painted: AtomicBool,
    pipeline: wgpu::RenderPipeline,
    bindings: wgpu::BindGroup,
}

impl CallbackTrait for Weight {
    fn prepare(
        &self,
        device: &wgpu::Device,
        _queue: &wgpu::Queue,
        _screen: &ScreenDescriptor,
        egui_encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let heat_map = resources.entry().or_insert_with(|| HeatMap::new(device));
        // If a window has no surface, eframe drops the encoder after `prepare`, and the fill in it is lost. eframe
        // submits every frame that it paints. So each frame records the fill until one frame is painted.
        if !heat_map.painted.load(Ordering::Relaxed) {
            let weight = TensorView::f32(&heat_map.weights, SHAPE);
            let key = self.model.named(self.name);
            heat_map.filled = heat_map.recorder.fill(egui_encoder, &weight, &self.init, key);
            heat_map.fills += u32::from(heat_map.filled.is_ok());
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        if let Some(heat_map) = resources.get::<HeatMap>()
            && heat_map.filled.is_ok()
        {
            heat_map.painted.store(true, Ordering::Relaxed);
            pass.set_pipeline(&heat_map.pipeline);
            pass.set_bind_group(0, &heat_map.bindings, &[]);
            pass.draw(0..4, 0..1);
        }
    }
}

impl HeatMap {
    fn new(device: &wgpu::Device) -> Self {
        use wgpu::BufferUsages as Usage;
        let weights = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("weights"),
            size: 4 * SHAPE[0] * SHAPE[1],
            // The copies are for the test; fills and shaders need STORAGE alone.
            usage: Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST,
            mapped_at_creation: false,
        });
        let module = device.create_shader_module(wgpu::include_wgsl!("heat_map.wgsl"));
        let [rows, columns] = SHAPE.map(|length| length as f64);
        let constants = [("rows", rows), ("columns", columns), ("reach", REACH.into())];
        let options = wgpu::PipelineCompilationOptions {
            constants: &constants,
            zero_initialize_workgroup_memory: true,
        };
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("heat map"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("corner"),
                compilation_options: options.clone(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState {
                topology: wgpu::PrimitiveTopology::TriangleStrip,
                ..Default::default()
            },
            // These two and the format must be those of egui's render pass.
            depth_stencil: None,
            multisample: Default::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("heat_map"),
                compilation_options: options,
                targets: &[Some(FORMAT.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("heat map"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: weights.as_entire_binding() }],
        });
        let recorder = FillRecorder::new(device);
        Self { weights, filled: Ok(()), fills: 0, recorder, painted: false.into(), pipeline, bindings }
    }
}

/// The host program: egui, its renderer, and a texture in the place of a window.
pub struct Screen {
    context: egui::Context,
    renderer: Renderer,
    texture: wgpu::Texture,
}

impl Screen {
    /// Makes a dark screen.
    pub fn new(gpu: &Gpu) -> Self {
        let context = egui::Context::default();
        context.set_theme(egui::Theme::Dark);
        let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("screen"),
            size: wgpu::Extent3d { width: SCREEN[0], height: SCREEN[1], depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        Self { context, renderer: Renderer::new(&gpu.device, FORMAT, RendererOptions::default()), texture }
    }

    /// The weight and its heat map, once there was a frame.
    pub fn heat_map(&self) -> Option<&HeatMap> {
        self.renderer.callback_resources.get()
    }

    /// Builds, draws and submits a frame, and returns the heat map's rectangle in pixels. A frame that is
    /// `lost` ends after `prepare`, as in eframe when the window has no surface.
    pub fn frame(&mut self, gpu: &Gpu, weight: Weight, lost: bool) -> Rect {
        let screen = ScreenDescriptor { size_in_pixels: SCREEN, pixels_per_point: 1.0 };
        let area = Rect::from_min_size(Default::default(), SCREEN.map(|length| length as f32).into());
        let mut heat_map = Rect::NOTHING;
        let input = egui::RawInput { screen_rect: Some(area), ..Default::default() };
        let mut output = self.context.run_ui(input, |ui| {
            let panel = egui::Frame::central_panel(ui.style()).inner_margin(32);
            egui::CentralPanel::default().frame(panel).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 8.0;
                ui.heading(weight.name);
                ui.label(format!("{}, {SHAPE:?}, seed {}", weight.init, weight.model.seed));
                (heat_map, _) = ui.allocate_exact_size(Vec2::splat(SIDE), egui::Sense::hover());
                ui.painter().add(Callback::new_paint_callback(heat_map, weight));
                ui.label(format!("blue: {}   white: 0   red: {REACH}", -REACH));
            });
        });

        let (Gpu { device, queue, .. }, renderer) = (gpu, &mut self.renderer);
        for (id, deltas) in output.textures_delta.set.drain() {
            deltas.iter().for_each(|delta| renderer.update_texture(device, queue, id, delta));
        }
        let primitives = self.context.tessellate(output.shapes, output.pixels_per_point);
        let mut encoder = device.create_command_encoder(&Default::default());
        let commands = renderer.update_buffers(device, queue, &mut encoder, &primitives, &screen);
        if !lost {
            let mut pass = encoder
                .begin_render_pass(&wgpu::RenderPassDescriptor {
                    color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                        view: &self.texture.create_view(&Default::default()),
                        depth_slice: None,
                        resolve_target: None,
                        ops: Default::default(),
                    })],
                    ..Default::default()
                })
                .forget_lifetime();
            renderer.render(&mut pass, &primitives, &screen);
            drop(pass);
            queue.submit(commands.into_iter().chain([encoder.finish()]));
        }
        // A texture lives until the submission that may use the texture.
        output.textures_delta.free.drain().for_each(|id| renderer.free_texture(&id));
        heat_map
    }

    /// Reads the screen's pixels back, row by row.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub async fn pixels(&self, gpu: &Gpu) -> Result<Vec<[u8; 4]>, Error> {
        let buffer = gpu.storage_buffer(u64::from(4 * SCREEN[0] * SCREEN[1]));
        let layout = wgpu::TexelCopyBufferLayout { bytes_per_row: Some(4 * SCREEN[0]), ..Default::default() };
        let target = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_texture_to_buffer(self.texture.as_image_copy(), target, self.texture.size());
        gpu.queue.submit([encoder.finish()]);
        Ok(gpu.download(&buffer, 0..buffer.size()).await?.as_chunks().0.to_vec())
    }
}
