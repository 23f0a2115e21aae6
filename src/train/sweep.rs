//! Goes through a data set in batches, with the data on the device.

use std::borrow::Cow;

use web_time::{Duration, Instant};

use crate::compute::{Buffer, Device, Element, Plan, Program, Tensor};
use crate::data::{Matrix, Targets};
use crate::kernels::batch::record_gather;
use crate::{Error, Result};

/// One batch, as the plan of a step sees it.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// `[rows, inputs]`, of each model where each goes through rows of its own.
    pub x: Tensor,
    /// `[rows, outputs]` numbers or `[rows, 1]` class indices, of each model likewise.
    pub y: Option<Tensor>,
    /// `[models, 1, 1]`: where in the data each model is. The step is to move it on by `rows`.
    pub position: Tensor,
    /// Rows of this batch.
    pub rows: u32,
    /// Rows of a full batch; the last one of a sweep may have fewer.
    pub full_rows: u32,
    /// Batches of a whole sweep.
    pub n_batches: u32,
}

/// What the recording of a step leaves for its user.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Tensors that live on from step to step, always in the same order.
    pub kept: Vec<Tensor>,
    /// A tensor that each step leaves to be read.
    pub result: Option<Tensor>,
}

/// How a sweep goes through its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Rows of a full batch.
    pub batch_size: usize,
    /// Rows of the whole sweep, of each model.
    pub rows: usize,
    pub models: u32,
    /// Whether each model goes through an order of its own; else all go through one.
    pub is_own: bool,
}

impl Route {
    /// How many models have an order.
    fn orders(self) -> u32 {
        if self.is_own { self.models } else { 1 }
    }
}

/// A step over full batches and one over the incomplete last batch, and the data they go through.
///
/// Data that fit on the device are written once, and each sweep writes an order of rows. Larger
/// data come in windows of whole batches, their rows put in order by the host; the results are the
/// same, byte for byte.
#[derive(Debug)]
pub struct Sweep<'a> {
    device: Device,
    features: Cow<'a, Matrix>,
    targets: Option<Cow<'a, Targets>>,
    route: Route,
    /// Rows on the device at a time.
    window: usize,
    is_resident: bool,
    full: Option<Pass>,
    rest: Option<Pass>,
    order: Vec<u32>,
    done: usize,
    /// What runs after each so many batches, and after the last one.
    follower: Option<(usize, Program)>,
}

/// The steps of a sweep, recorded for a device but not yet compiled.
#[derive(Debug)]
pub struct Steps<'a> {
    features: Cow<'a, Matrix>,
    targets: Option<Cow<'a, Targets>>,
    route: Route,
    window: usize,
    is_resident: bool,
    full: Option<Recording>,
    rest: Option<Recording>,
}

/// A recorded step.
#[derive(Debug)]
pub struct Recording {
    pub plan: Plan,
    batch: Batch,
    recorded: Recorded,
    feed: Feed,
}

/// A compiled step.
#[derive(Debug)]
pub struct Pass {
    pub plan: Plan,
    pub program: Program,
    pub batch: Batch,
    recorded: Recorded,
    feed: Feed,
}

/// The data on the device.
#[derive(Clone, Copy, Debug)]
struct Feed {
    features: Tensor,
    targets: Option<Tensor>,
    /// The rows in the order of the sweep, of each model or of all.
    order: Tensor,
    /// Where each model is in that order.
    position: Tensor,
}

impl Feed {
    fn tensors(self) -> impl Iterator<Item = Tensor> {
        [Some(self.features), self.targets, Some(self.order), Some(self.position)].into_iter().flatten()
    }
}

/// How many rows of some data a device can hold at once.
pub fn rows_at_once(device: &Device, features: &Matrix, targets: Option<&Targets>) -> usize {
    let widest = features.columns().max(targets.map_or(1, Targets::columns)).max(1);
    device.max_length() / widest
}

impl<'a> Steps<'a> {
    /// Records the steps of a sweep.
    ///
    /// `record` is called for the full batch and for the last one; it declares what it keeps and
    /// records the step.
    pub fn record(
        device: &Device,
        features: Cow<'a, Matrix>,
        targets: Option<Cow<'a, Targets>>,
        route: Route,
        record: impl Fn(&mut Plan, &Batch) -> Result<Recorded>,
    ) -> Result<Steps<'a>> {
        let route = Route { batch_size: route.batch_size.min(route.rows), ..route };
        let Route { batch_size, rows, .. } = route;
        let fitting = rows_at_once(device, &features, targets.as_deref());
        let is_resident = features.rows() <= fitting;
        if !is_resident && route.is_own {
            return Err(Error::Shape {
                operation: "members with rows of their own".into(),
                found: format!("data of {} rows, of which the device holds {fitting} at once", features.rows()),
                expected: "data that it holds whole; give all members the same rows, or use `--device cpu`".into(),
            });
        }
        let window = if is_resident { features.rows() } else { (fitting / batch_size).max(1) * batch_size };
        let step = |batch_rows: usize| -> Result<Option<Recording>> {
            if batch_rows == 0 {
                return Ok(None);
            }
            let mut plan = Plan::new();
            let places = if is_resident { rows } else { window };
            let (batch, feed) =
                declare_batch(&mut plan, &features, targets.as_deref(), route, [batch_rows, window, places])?;
            let recorded = record(&mut plan, &batch)?;
            Ok(Some(Recording { plan, batch, recorded, feed }))
        };
        let (full, rest) = (step(batch_size)?, step(rows % batch_size)?);
        Ok(Steps { features, targets, route, window, is_resident, full, rest })
    }

    /// Compiles them. `given` holds buffers for the first of the kept tensors.
    pub fn compile(self, device: &Device, given: &[&Buffer]) -> Result<Sweep<'a>> {
        let Steps { features, targets, route, window, is_resident, full, rest } = self;
        let compile = |step: Option<Recording>, first: Option<&Pass>| -> Result<Option<Pass>> {
            let Some(Recording { plan, batch, recorded, feed }) = step else { return Ok(None) };
            // What the two steps share: the data, and what lives on from step to step.
            let shared: Vec<Buffer> = match first {
                Some(first) => first.shared().collect(),
                None => Vec::new(),
            };
            let own: Vec<Tensor> = feed.tensors().chain(recorded.kept.iter().copied()).collect();
            let mut buffers: Vec<_> = own.iter().zip(&shared).map(|(tensor, buffer)| (tensor.buffer, buffer)).collect();
            if first.is_none() {
                buffers.extend(recorded.kept.iter().zip(given).map(|(tensor, buffer)| (tensor.buffer, *buffer)));
            }
            let program = device.compile(&plan, &buffers)?;
            Ok(Some(Pass { plan, program, batch, recorded, feed }))
        };
        let full = compile(full, None)?;
        let rest = compile(rest, full.as_ref())?;
        let (device, order) = (device.clone(), Vec::new());
        let sweep =
            Sweep { device, features, targets, route, window, is_resident, full, rest, order, done: 0, follower: None };
        sweep.prepare()?;
        Ok(sweep)
    }

    /// The steps.
    pub fn recordings(&self) -> impl Iterator<Item = &Recording> {
        self.full.iter().chain(&self.rest)
    }

    /// Batches of a whole sweep.
    pub fn n_batches(&self) -> usize {
        self.route.rows.div_ceil(self.route.batch_size)
    }
}

impl Recording {
    /// What the steps of a sweep share.
    pub fn shared(&self) -> impl Iterator<Item = Tensor> + '_ {
        self.feed.tensors().chain(self.recorded.kept.iter().copied())
    }

    /// Tensors that live on from step to step.
    pub fn kept(&self) -> &[Tensor] {
        &self.recorded.kept
    }
}

impl<'a> Sweep<'a> {
    /// Records and compiles the steps of a sweep, as [`Steps::record`] and [`Steps::compile`] tell.
    pub fn new(
        device: &Device,
        features: Cow<'a, Matrix>,
        targets: Option<Cow<'a, Targets>>,
        route: Route,
        given: &[&Buffer],
        record: impl Fn(&mut Plan, &Batch) -> Result<Recorded>,
    ) -> Result<Sweep<'a>> {
        Steps::record(device, features, targets, route, record)?.compile(device, given)
    }

    /// Writes what stays the same for all sweeps.
    fn prepare(&self) -> Result<()> {
        if self.is_resident {
            self.write_rows(self.features.values(), self.targets.as_deref())
        } else {
            let same: Vec<u32> = (0..self.window as u32).collect();
            self.write(self.first().feed.order, &same)
        }
    }

    fn write_rows(&self, features: &[f32], targets: Option<&Targets>) -> Result<()> {
        let feed = self.first().feed;
        self.write(feed.features, features)?;
        match (targets, feed.targets) {
            (Some(Targets::Values(values)), Some(to)) => self.write(to, values.values()),
            (Some(Targets::Classes(classes)), Some(to)) => self.write(to, &classes.indices),
            _ => Ok(()),
        }
    }

    fn write<T: bytemuck::Pod>(&self, to: Tensor, values: &[T]) -> Result<()> {
        self.device.write(&self.first().program.buffer(to.buffer), 0, values)
    }

    fn first(&self) -> &Pass {
        self.full.as_ref().expect("a batch is at most as large as the data")
    }

    /// Runs `program` after each `every` batches of a sweep, and after its last one.
    pub fn follow_each(&mut self, every: usize, program: Program) {
        self.follower = Some((every, program));
    }

    /// Begins a sweep through rows of the data in the given order: of each model one after the other where each has
    /// its own.
    pub fn start(&mut self, order: Vec<u32>) -> Result<()> {
        assert_eq!(order.len(), self.route.rows * self.route.orders() as usize, "rows in order");
        if self.is_resident {
            self.write(self.first().feed.order, &order)?;
        }
        self.order = order;
        self.restart()
    }

    /// Begins a sweep through the rows in the order of the one before.
    pub fn restart(&mut self) -> Result<()> {
        let position = self.first().feed.position;
        self.write(position, &vec![0u32; position.models as usize])?;
        self.done = 0;
        Ok(())
    }

    /// Begins a sweep through the rows as they are.
    pub fn start_in_order(&mut self) -> Result<()> {
        self.start((0..self.features.rows() as u32).collect())
    }

    /// Runs up to `limit` of the batches that remain, and what follows them; gives how many it ran, 0 at the end.
    pub async fn advance(&mut self, limit: usize) -> Result<usize> {
        let (rows, batch_size) = (self.route.rows, self.route.batch_size);
        let start = self.done * batch_size;
        if start >= rows || limit == 0 {
            return Ok(0);
        }
        if !self.is_resident && start.is_multiple_of(self.window) {
            let window = &self.order[start..rows.min(start + self.window)];
            let targets = self.targets.as_deref().map(|targets| targets.select_rows(window));
            self.write_rows(self.features.select_rows(window).values(), targets.as_ref())?;
        }
        let window_end = rows.min((start / self.window + 1) * self.window);
        let full_batches = (window_end - start) / batch_size;
        let limit = self.follower.as_ref().map_or(limit, |(every, _)| limit.min(every - self.done % every));
        let count = if full_batches > 0 {
            let count = full_batches.min(limit);
            self.device.run_async(&self.first().program, count).await?;
            count
        } else {
            let rest = self.rest.as_ref().expect("rows remain");
            self.device.run_async(&rest.program, 1).await?;
            1
        };
        self.done += count;
        if let Some((every, program)) = &self.follower
            && (self.done.is_multiple_of(*every) || self.done == self.n_batches())
        {
            self.device.run_async(program, 1).await?;
        }
        Ok(count)
    }

    /// Runs batches from the start for about as long as `limit`, after a first one that counts for nothing; gives how
    /// many it ran, and how long they took.
    pub async fn measure(&mut self, limit: Duration) -> Result<(usize, Duration)> {
        self.advance(1).await?;
        self.device.wait_async().await?;
        if self.done == self.n_batches() {
            self.restart()?;
        }
        let (start, mut n_steps, mut count) = (Instant::now(), 0, 1);
        loop {
            let n_ran = self.advance(count).await?;
            self.device.wait_async().await?;
            (n_steps, count) = (n_steps + n_ran, count * 2);
            let elapsed = start.elapsed();
            if elapsed >= limit || n_ran == 0 {
                return Ok((n_steps.max(1), elapsed));
            }
            // Not far beyond the limit.
            let affordable = (limit - elapsed).as_secs_f64() / elapsed.as_secs_f64().max(1e-9) * n_steps as f64;
            count = count.min(affordable.ceil() as usize).max(1);
        }
    }

    /// The step that ran last, or will run first.
    pub fn pass(&self) -> &Pass {
        match &self.rest {
            Some(rest) if self.done == self.n_batches() => rest,
            _ => self.first(),
        }
    }

    /// Rows of a whole sweep, of each model.
    pub fn n_rows(&self) -> usize {
        self.route.rows
    }

    /// How many models there are.
    pub fn n_models(&self) -> usize {
        self.route.models as usize
    }

    /// Whether each model goes through an order of its own.
    pub fn is_own(&self) -> bool {
        self.route.is_own
    }

    /// Batches of a whole sweep.
    pub fn n_batches(&self) -> usize {
        self.first().batch.n_batches as usize
    }

    /// Batches that ran since the start.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Rows of the batch at `index`.
    pub fn batch_rows(&self, index: usize) -> usize {
        self.route.batch_size.min(self.route.rows - index * self.route.batch_size)
    }

    /// Which rows of the data a model's batch at `index` consists of.
    pub fn rows_of_batch(&self, model: usize, index: usize) -> &[u32] {
        let before = if self.route.is_own { model * self.route.rows } else { 0 };
        &self.order[before + index * self.route.batch_size..][..self.batch_rows(index)]
    }

    /// A kept tensor's buffer.
    pub fn kept(&self, index: usize) -> Buffer {
        self.first().program.buffer(self.first().recorded.kept[index].buffer)
    }

    /// The kept tensors, as the first plan declares them.
    pub fn kept_tensors(&self) -> &[Tensor] {
        &self.first().recorded.kept
    }
}

impl Pass {
    /// The buffers that the steps of a sweep share.
    fn shared(&self) -> impl Iterator<Item = Buffer> {
        let tensors = self.feed.tensors().chain(self.recorded.kept.iter().copied());
        tensors.map(|tensor| self.program.buffer(tensor.buffer))
    }

    /// The buffer that each step leaves to be read.
    pub fn result(&self) -> Option<Buffer> {
        self.recorded.result.map(|tensor| self.program.buffer(tensor.buffer))
    }
}

/// Declares the data on the device and records the gathering of one batch of `rows` out of them. The device holds
/// `window` rows, and an order of `places`.
fn declare_batch(
    plan: &mut Plan,
    features: &Matrix,
    targets: Option<&Targets>,
    route: Route,
    [rows, window, places]: [usize; 3],
) -> Result<(Batch, Feed)> {
    let (rows, window, columns) = (rows as u32, window as u32, features.columns() as u32);
    let element = |targets: &Targets| if matches!(targets, Targets::Values(_)) { Element::F32 } else { Element::U32 };
    let orders = route.orders();
    let feed = Feed {
        features: plan.tensor("features", 1, window, columns),
        targets: targets
            .map(|targets| plan.tensor_of("targets", element(targets), 1, window, targets.columns() as u32)),
        order: plan.integers("order", orders, 1, places as u32),
        position: plan.integers("position", route.models, 1, 1),
    };
    // Where all models go through the same rows, the first one's position serves to gather.
    let position = Tensor { models: orders, ..feed.position };
    let x = plan.tensor("batch features", orders, rows, columns);
    record_gather(plan, feed.features, feed.order, position, x)?;
    let y = match (targets, feed.targets) {
        (Some(targets), Some(all)) => {
            let y = plan.tensor_of("batch targets", element(targets), orders, rows, all.columns);
            record_gather(plan, all, feed.order, position, y)?;
            Some(y)
        }
        _ => None,
    };
    let (full_rows, n_batches) = (route.batch_size as u32, route.rows.div_ceil(route.batch_size) as u32);
    Ok((Batch { x, y, position: feed.position, rows, full_rows, n_batches }, feed))
}
