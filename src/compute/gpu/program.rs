//! A plan compiled for a GPU, and its replay.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use web_time::{Duration, Instant};

use super::submission::Submission;
use super::{Buffer, Gpu, lock};
use crate::compute::kernel::{Access, Form, Kernel};
use crate::compute::plan::{BufferId, Plan, Step};
use crate::{Error, Result};

/// The longest that one submission should keep the device: drivers reset a device that does not
/// answer for about two seconds, and a desktop shares it.
const SUBMISSION: Duration = Duration::from_millis(40);

/// Submissions under way at once: the device works on one while the next is encoded.
const IN_FLIGHT: usize = 2;

/// One submission is never more than this many dispatches, so that their command buffer stays small.
const MAX_DISPATCHES: usize = 4096;

/// A compiled form of a kernel.
#[derive(Debug)]
pub struct Pipeline {
    compute: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// A plan with everything that its replay needs.
#[derive(Debug)]
pub struct Program {
    dispatches: Vec<Dispatch>,
    buffers: Vec<Buffer>,
    /// Dispatches of the next submission, found by measuring the last ones.
    per_submission: AtomicUsize,
}

#[derive(Debug)]
struct Dispatch {
    pipeline: Arc<Pipeline>,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl Gpu {
    pub(in crate::compute) fn compile(&self, plan: &Plan, given: &[(BufferId, Buffer)]) -> Result<Program> {
        for (_, buffer) in given {
            self.check_owner(buffer)?;
        }
        let buffers = plan
            .ids()
            .map(|(id, spec)| match given.iter().find(|(given_id, _)| *given_id == id) {
                Some((_, buffer)) => Ok(buffer.clone()),
                None => self.allocate(&spec.label, spec.length),
            })
            .collect::<Result<Vec<_>>>()?;

        // All parameter blocks share one buffer, each at an offset that the adapter can bind.
        let alignment = self.shared.device.limits().min_uniform_buffer_offset_alignment as usize;
        let mut blocks: Vec<u8> = Vec::new();
        let mut offsets = Vec::new();
        for step in plan.steps() {
            blocks.resize(blocks.len().next_multiple_of(alignment), 0);
            offsets.push(blocks.len() as u64);
            blocks.extend_from_slice(bytemuck::cast_slice(&step.params));
        }
        let params = self.scoped("allocate parameters", || {
            let params = self.shared.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("parameters"),
                size: blocks.len().next_multiple_of(16).max(16) as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            self.shared.queue.write_buffer(&params, 0, &blocks);
            params
        })?;

        let mut dispatches = Vec::new();
        for (step, offset) in plan.steps().iter().zip(offsets) {
            dispatches.extend(self.dispatch(step, &buffers, &params, offset)?);
        }
        Ok(Program { dispatches, buffers, per_submission: AtomicUsize::new(1) })
    }

    /// Nothing where the step computes nothing.
    fn dispatch(
        &self,
        step: &Step,
        buffers: &[Buffer],
        params: &wgpu::Buffer,
        offset: u64,
    ) -> Result<Option<Dispatch>> {
        let kernel = step.kernel;
        let form = kernel.form(&step.params, &self.capabilities);
        let Some(workgroups) = self.fold(kernel, (form.groups)(&step.params), step.models)? else {
            return Ok(None);
        };
        let pipeline = self.pipeline(kernel, form)?;
        let block = wgpu::BufferBinding { buffer: params, offset, size: NonZeroU64::new(step.params.len() as u64 * 4) };
        let storage = step.operands.iter().map(|operand| {
            wgpu::BindingResource::Buffer(buffers[operand.buffer.0 as usize].storage.as_entire_buffer_binding())
        });
        let resources = std::iter::once(wgpu::BindingResource::Buffer(block)).chain(storage);
        let entries: Vec<_> =
            (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let bindings = self.scoped(&format!("bind the buffers of `{}`", kernel.name), || {
            self.shared.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(kernel.name),
                layout: &pipeline.layout,
                entries: &entries,
            })
        })?;
        Ok(Some(Dispatch { pipeline, bindings, workgroups }))
    }

    /// Workgroups along x, y and z: those of one model fold from x into y, models lie along z.
    fn fold(&self, kernel: &Kernel, groups: u64, models: u32) -> Result<Option<[u32; 3]>> {
        let limit = u64::from(self.capabilities.max_workgroups);
        if groups == 0 || models == 0 {
            return Ok(None);
        }
        // Even rows waste less than a full first row and a nearly empty second one.
        let y = groups.div_ceil(limit);
        let x = groups.div_ceil(y);
        let over = |needed, unit, limit, limit_name, advice| {
            Err(self.over_limit(format!("`{}`", kernel.name), needed, unit, limit, limit_name, advice))
        };
        if y > limit {
            let limit_name = "the square of maxComputeWorkgroupsPerDimension";
            let advice = "use a smaller batch or network, or another device";
            return over(groups, "workgroups", limit * limit, limit_name, advice);
        }
        if u64::from(models) > limit {
            let advice = "use fewer models, or another device";
            return over(u64::from(models), "models", limit, "maxComputeWorkgroupsPerDimension", advice);
        }
        Ok(Some([x as u32, y as u32, models]))
    }

    /// Refuses a form that the adapter cannot run: one that keeps to what WebGPU guarantees runs
    /// everywhere, but an application may have opened its device with less.
    fn check_form(&self, kernel: &Kernel, form: &Form) -> Result<()> {
        let limits = self.shared.device.limits();
        let [x, y, z] = form.workgroup;
        let needs = [
            (x, "invocations along x", limits.max_compute_workgroup_size_x, "maxComputeWorkgroupSizeX"),
            (y, "invocations along y", limits.max_compute_workgroup_size_y, "maxComputeWorkgroupSizeY"),
            (z, "invocations along z", limits.max_compute_workgroup_size_z, "maxComputeWorkgroupSizeZ"),
            (
                x * y * z,
                "invocations in a workgroup",
                limits.max_compute_invocations_per_workgroup,
                "maxComputeInvocationsPerWorkgroup",
            ),
            (
                form.workgroup_bytes,
                "bytes of workgroup memory",
                limits.max_compute_workgroup_storage_size,
                "maxComputeWorkgroupStorageSize",
            ),
            (
                kernel.bindings.len() as u32,
                "storage buffers",
                limits.max_storage_buffers_per_shader_stage,
                "maxStorageBuffersPerShaderStage",
            ),
        ];
        match needs.into_iter().find(|(needed, _, limit, _)| needed > limit) {
            Some((needed, unit, limit, limit_name)) => {
                let what = format!("`{}`, {},", kernel.name, form.name);
                let advice = "open the device with WebGPU's default limits, or use another";
                Err(self.over_limit(what, needed.into(), unit, limit.into(), limit_name, advice))
            }
            None => Ok(()),
        }
    }

    fn over_limit(
        &self,
        what: String,
        needed: u64,
        unit: &'static str,
        limit: u64,
        limit_name: &'static str,
        advice: &'static str,
    ) -> Error {
        Error::OverLimit { what, needed, unit, limit, limit_name, adapter: self.shared.info.name.clone(), advice }
    }

    /// The pipeline of a form, made at its first use.
    fn pipeline(&self, kernel: &Kernel, form: &Form) -> Result<Arc<Pipeline>> {
        let key = (kernel.name, form.name);
        if let Some(pipeline) = lock(&self.shared.pipelines).get(&key) {
            return Ok(pipeline.clone());
        }
        self.check_form(kernel, form)?;
        let label = format!("{}, {}", kernel.name, form.name);
        let pipeline = self.scoped(&format!("compile `{label}`"), || self.create_pipeline(kernel, form, &label))?;
        Ok(lock(&self.shared.pipelines).entry(key).or_insert(Arc::new(pipeline)).clone())
    }

    fn create_pipeline(&self, kernel: &Kernel, form: &Form, label: &str) -> Pipeline {
        let device = &self.shared.device;
        let source =
            wgpu::ShaderModuleDescriptor { label: Some(label), source: wgpu::ShaderSource::Wgsl(form.text().into()) };
        let module = if self.shared.is_checked {
            device.create_shader_module(source)
        } else {
            // SAFETY: the plan has checked that every view ends within its buffer, and the tests
            // run each kernel with the checks on; loops end with the sizes in the parameters.
            #[allow(unsafe_code, reason = "wgpu offers unchecked shaders only so")]
            unsafe {
                device.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked())
            }
        };
        let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
        let storage = kernel
            .bindings
            .iter()
            .map(|binding| buffer(wgpu::BufferBindingType::Storage { read_only: binding.access == Access::Read }));
        let entries: Vec<_> = (0..)
            .zip(std::iter::once(buffer(wgpu::BufferBindingType::Uniform)).chain(storage))
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty,
                count: None,
            })
            .collect();
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let compute = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: form.constants,
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Pipeline { compute, layout }
    }

    pub(in crate::compute) async fn run(&self, program: &Program, times: usize) -> Result<()> {
        self.check_program(program)?;
        let total = program.dispatches.len() * times;
        let mut sequence = program.dispatches.iter().cycle();
        let mut in_flight = VecDeque::with_capacity(IN_FLIGHT);
        let mut last_done = Instant::now();
        let mut submitted = 0;
        while submitted < total {
            let count = program.per_submission.load(Ordering::Relaxed).min(total - submitted);
            let submission = self.submit_dispatches(sequence.by_ref().take(count))?;
            submitted += count;
            in_flight.push_back((submission, count));
            if in_flight.len() == IN_FLIGHT {
                let (submission, count) = in_flight.pop_front().expect("just filled");
                self.wait_for(Some(submission), "run a program").await?;
                program.pace(count, last_done.elapsed());
                last_done = Instant::now();
            }
        }
        Ok(())
    }

    /// In parts as [`Gpu::run`] would submit it, since the driver's patience ends for one run as well.
    pub(in crate::compute) fn submit(&self, program: &Program) -> Result<()> {
        self.check_program(program)?;
        for part in program.dispatches.chunks(program.per_submission.load(Ordering::Relaxed)) {
            self.scoped("run a program", || self.shared.queue.submit([self.encode(part.iter())]))?;
        }
        Ok(())
    }

    fn check_program(&self, program: &Program) -> Result<()> {
        if program.buffers.iter().any(|buffer| self.check_owner(buffer).is_err()) {
            return Err(Error::ForeignDevice { label: "program".into() });
        }
        Ok(())
    }

    /// Encodes a program `times` times and throws the commands away: for measuring what encoding costs.
    pub(in crate::compute) fn encode_only(&self, program: &Program, times: usize) -> Result<()> {
        let total = program.dispatches.len() * times;
        let dispatches = program.dispatches.iter().cycle().take(total);
        self.scoped("encode a program", || drop(self.encode(dispatches)))
    }

    /// Encodes dispatches and submits them.
    fn submit_dispatches<'a>(&self, dispatches: impl Iterator<Item = &'a Dispatch>) -> Result<Submission> {
        self.scoped("run a program", || self.submit_commands(self.encode(dispatches)))
    }

    /// Encodes dispatches in one pass.
    fn encode<'a>(&self, dispatches: impl Iterator<Item = &'a Dispatch>) -> wgpu::CommandBuffer {
        let mut encoder = self.shared.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for dispatch in dispatches {
            let [x, y, z] = dispatch.workgroups;
            pass.set_pipeline(&dispatch.pipeline.compute);
            pass.set_bind_group(0, &dispatch.bindings, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        encoder.finish()
    }
}

impl Program {
    pub fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0 as usize]
    }

    /// Sizes the next submissions by the time from one's completion to the next one's. Only how
    /// the same dispatches are cut into submissions depends on the clock, never what they compute.
    fn pace(&self, count: usize, elapsed: Duration) {
        let next = if elapsed > SUBMISSION {
            count / 2
        } else if elapsed < SUBMISSION / 4 {
            count * 2
        } else {
            count
        };
        self.per_submission.store(next.clamp(1, MAX_DISPATCHES), Ordering::Relaxed);
    }
}
