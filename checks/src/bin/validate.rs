//! `validate` is `nngpu doctor` while the Khronos validation layer watches, with its checks on the GPU: any
//! message of the layer is a failure.
//!
//! First it runs a shader with a race in workgroup memory. The layer must report it: else the layer is not
//! there, or does not look, and its silence would say nothing.

use std::process::ExitCode;
use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use nngpu::doctor::{Extent, examine};
use nngpu::{Device, wgpu};
use nngpu_checks::conclude;

/// Keeps what the layer says; wgpu passes it on as messages of its log.
struct Messages(Mutex<Vec<String>>);

static MESSAGES: Messages = Messages(Mutex::new(Vec::new()));

impl Log for Messages {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= LevelFilter::Warn
    }

    fn log(&self, record: &Record) {
        let message = record.args().to_string();
        // The layer remarks on its own settings as well.
        let is_remark = ["VALIDATION-SETTINGS", "WARNING-Setting"].iter().any(|name| message.contains(name));
        let is_finding = message.contains("VALIDATION [") && !is_remark;
        if self.enabled(record.metadata()) && is_finding {
            self.0.lock().expect("no panic while logging").push(message);
        }
    }

    fn flush(&self) {}
}

impl Messages {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic while logging"))
    }
}

fn main() -> ExitCode {
    log::set_logger(&MESSAGES).expect("the first logger");
    log::set_max_level(LevelFilter::Warn);
    conclude(canary().and_then(|()| validate()))
}

/// Invocation 0 reads what the others write, without a barrier between.
const RACE: &str = "
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
var<workgroup> shared_x: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  shared_x[local] = f32(local);
  y[local] = shared_x[63u - local];
}
";

/// Runs the race; a layer that says nothing of it is a failure.
fn canary() -> Result<(), String> {
    pollster::block_on(async {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let adapters = instance.enumerate_adapters(wgpu::Backends::VULKAN).await;
        let adapter = adapters.first().ok_or("found no Vulkan adapter to validate on")?;
        let (device, queue) = adapter.request_device(&Default::default()).await.map_err(|error| error.to_string())?;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("race"),
            source: wgpu::ShaderSource::Wgsl(RACE.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("race"),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let y = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("y"),
            size: 256,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("race"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: y.as_entire_binding() }],
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(1, 1, 1);
        drop(pass);
        queue.submit([encoder.finish()]);
        device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| error.to_string())?;
        Ok::<(), String>(())
    })?;
    let messages = MESSAGES.take();
    if messages.iter().any(|message| message.contains("Race")) {
        return Ok(());
    }
    Err(format!("the validation layer said nothing of a race in workgroup memory: is it there? It said: {messages:?}"))
}

fn validate() -> Result<String, String> {
    let device = Device::open("0").map_err(|error| error.to_string())?;
    let (mut n_cases, mut failures) = (0, Vec::new());
    examine(&device, Extent::Whole, &mut |finding| {
        n_cases += finding.n_cases;
        let messages = MESSAGES.take();
        let all = finding.failures.iter().chain(&messages);
        failures.extend(all.map(|failure| format!("{}, {}: {failure}", finding.name, finding.form)));
    });
    if failures.is_empty() {
        return Ok(format!("{n_cases} cases on {}: no message", device.description()));
    }
    let n_failures = failures.len();
    failures.truncate(20);
    Err(format!("{}\n{n_failures} failures on {}", failures.join("\n"), device.description()))
}
