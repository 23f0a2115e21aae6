//! Host time for each dispatch of a replayed program.
//!
//! `encode` is what the host does for a dispatch until its commands are finished, without
//! submitting them: set the pipeline, set the bind group, dispatch. Nothing runs on the device, so
//! that this is the same claim on every adapter. `encode_steps` is the same for training steps,
//! which change the pipeline from one dispatch to the next. The controls are as many dispatches in
//! a hand-written wgpu loop, which sets everything anew as a replay must, or only once; and a pass
//! without dispatches. `run` is the whole: encoded in submissions, run and waited for. A row is
//! about 1000 dispatches: its milliseconds are microseconds for each.

mod common;

use std::sync::LazyLock;

use common::{IMAGES, compile_step, gpu};
use divan::{Bencher, counter::ItemsCount};
use nngpu::Device;
use nngpu::compute::{Plan, Program};
use nngpu::kernels::array::record_copy;
use nngpu::nn::Fusion;

const DISPATCHES: usize = 1000;

/// Copies of one element to and fro: the kernel does next to nothing, and each one waits for the
/// one before.
fn nearly_empty(device: &Device) -> Program {
    let mut plan = Plan::new();
    let (a, b) = (plan.tensor("a", 1, 1, 1), plan.tensor("b", 1, 1, 1));
    for i in 0..DISPATCHES {
        let (from, to) = if i % 2 == 0 { (a, b) } else { (b, a) };
        record_copy(&mut plan, from, to).expect("shapes that fit");
    }
    device.compile(&plan, &[]).expect("a program")
}

#[divan::bench(max_time = 2)]
fn encode(bencher: Bencher) {
    let Some(gpu) = gpu() else { return };
    let device = Device::Gpu(gpu);
    let program = nearly_empty(&device);
    let encode = || device.encode_only(&program, 1).expect("commands");
    bencher.counter(ItemsCount::new(DISPATCHES)).bench_local(encode);
}

#[divan::bench(max_time = 2)]
fn encode_steps(bencher: Bencher) {
    let Some(gpu) = gpu() else { return };
    let device = Device::Gpu(gpu);
    let (program, dispatches) = compile_step(&device, &IMAGES, Fusion::Fused).expect("a step");
    let steps = DISPATCHES / dispatches;
    let encode = || device.encode_only(&program, steps).expect("commands");
    bencher.counter(ItemsCount::new(steps * dispatches)).bench_local(encode);
}

#[divan::bench(max_time = 2)]
fn control_setting_all_anew(bencher: Bencher) {
    let Some(bare) = &*BARE else { return };
    let encode = || {
        drop(bare.encode(|pass| {
            for _ in 0..DISPATCHES / 2 {
                for bindings in &bare.bindings {
                    pass.set_pipeline(&bare.pipeline);
                    pass.set_bind_group(0, bindings, &[]);
                    pass.dispatch_workgroups(1, 1, 1);
                }
            }
        }))
    };
    bencher.counter(ItemsCount::new(DISPATCHES)).bench_local(encode);
}

#[divan::bench(max_time = 2)]
fn control_setting_once(bencher: Bencher) {
    let Some(bare) = &*BARE else { return };
    let encode = || {
        drop(bare.encode(|pass| {
            pass.set_pipeline(&bare.pipeline);
            pass.set_bind_group(0, &bare.bindings[0], &[]);
            for _ in 0..DISPATCHES {
                pass.dispatch_workgroups(1, 1, 1);
            }
        }))
    };
    bencher.counter(ItemsCount::new(DISPATCHES)).bench_local(encode);
}

#[divan::bench(max_time = 2)]
fn control_without_dispatches(bencher: Bencher) {
    let Some(bare) = &*BARE else { return };
    bencher.bench_local(|| drop(bare.encode(|_| {})));
}

#[divan::bench(max_time = 2)]
fn control_submitting_nothing(bencher: Bencher) {
    let Some(bare) = &*BARE else { return };
    bencher.bench_local(|| {
        bare.queue.submit([bare.encode(|_| {})]);
        bare.device.poll(wgpu::PollType::wait_indefinitely()).expect("an end");
    });
}

#[divan::bench(max_time = 2)]
fn run(bencher: Bencher) {
    let Some(gpu) = gpu() else { return };
    let device = Device::Gpu(gpu);
    let program = nearly_empty(&device);
    let run = || {
        device.run(&program, 1).expect("a run");
        device.wait().expect("an end");
    };
    // The first runs find out how much fits into a submission.
    for _ in 0..16 {
        run();
    }
    bencher.counter(ItemsCount::new(DISPATCHES)).bench_local(run);
}

/// The control: wgpu without this crate, on the same adapter.
struct Bare {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipeline: wgpu::ComputePipeline,
    /// From the first buffer into the second, and back.
    bindings: [wgpu::BindGroup; 2],
}

static BARE: LazyLock<Option<Bare>> = LazyLock::new(|| gpu().map(|gpu| Bare::new(&Device::Gpu(gpu).description())));

const SHADER: &str = "
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if id.x == 0u { y[0] = x[0]; }
}";

impl Bare {
    /// On the adapter whose name the description begins with.
    fn new(description: &str) -> Bare {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        let is_same = |adapter: &wgpu::Adapter| description.starts_with(&adapter.get_info().name);
        let adapter = adapters.into_iter().find(is_same).expect("the adapter is still there");
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))
            .expect("the adapter opens again");
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let buffers = [(); 2].map(|()| {
            let (size, usage) = (4, wgpu::BufferUsages::STORAGE);
            device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
        });
        let [a, b] = buffers.each_ref().map(wgpu::Buffer::as_entire_binding);
        let bind = |from: &wgpu::BindingResource<'_>, to: &wgpu::BindingResource<'_>| {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: from.clone() },
                    wgpu::BindGroupEntry { binding: 1, resource: to.clone() },
                ],
            })
        };
        let bindings = [bind(&a, &b), bind(&b, &a)];
        Bare { device, queue, pipeline, bindings }
    }

    fn encode(&self, fill: impl FnOnce(&mut wgpu::ComputePass)) -> wgpu::CommandBuffer {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        fill(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
        encoder.finish()
    }
}

fn main() {
    // What these print comes before the table.
    LazyLock::force(&BARE);
    divan::main();
}
