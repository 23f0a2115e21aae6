//! Goes through a data set in batches, with the data on the device.

use std::borrow::Cow;

use crate::Result;
use crate::compute::{Buffer, Device, Element, Plan, Program, Tensor};
use crate::data::{Matrix, Targets};
use crate::kernels::batch::record_gather;

/// One batch, as the plan of a step sees it.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// `[rows, inputs]`.
    pub x: Tensor,
    /// `[rows, outputs]` numbers or `[rows, 1]` class indices.
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
    batch_size: usize,
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
    /// The rows in the order of the sweep.
    order: Tensor,
    /// Where each model is in that order.
    position: Tensor,
}

impl Feed {
    fn tensors(self) -> impl Iterator<Item = Tensor> {
        [Some(self.features), self.targets, Some(self.order), Some(self.position)].into_iter().flatten()
    }
}

impl<'a> Sweep<'a> {
    /// Records and compiles the steps of a sweep over `features` in batches of `batch_size`.
    ///
    /// `record` is called for the full batch and for the last one; it declares what it keeps and
    /// records the step. `given` holds buffers for the first of the kept tensors.
    pub fn new(
        device: &Device,
        features: Cow<'a, Matrix>,
        targets: Option<Cow<'a, Targets>>,
        batch_size: usize,
        models: u32,
        given: &[&Buffer],
        record: impl Fn(&mut Plan, &Batch) -> Result<Recorded>,
    ) -> Result<Sweep<'a>> {
        let rows = features.rows();
        let batch_size = batch_size.min(rows);
        let widest = features.columns().max(targets.as_deref().map_or(1, Targets::columns)).max(1);
        let fitting = device.max_length() / widest;
        let is_resident = rows <= fitting;
        let window = if is_resident { rows } else { (fitting / batch_size).max(1) * batch_size };

        let compile = |rows: usize, first: Option<&Pass>| -> Result<Option<Pass>> {
            if rows == 0 {
                return Ok(None);
            }
            let mut plan = Plan::new();
            let n_batches = features.rows().div_ceil(batch_size) as u32;
            let (batch, feed) =
                declare_batch(&mut plan, &features, targets.as_deref(), [rows, batch_size, window], n_batches, models)?;
            let recorded = record(&mut plan, &batch)?;
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
        let full = compile(if rows >= batch_size { batch_size } else { 0 }, None)?;
        let rest = compile(rows % batch_size, full.as_ref())?;
        let device = device.clone();
        let sweep = Sweep {
            device,
            features,
            targets,
            batch_size,
            window,
            is_resident,
            full,
            rest,
            order: Vec::new(),
            done: 0,
            follower: None,
        };
        sweep.prepare()?;
        Ok(sweep)
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

    /// Begins a sweep through the rows in the given order.
    pub fn start(&mut self, order: Vec<u32>) -> Result<()> {
        assert_eq!(order.len(), self.features.rows(), "rows in order");
        let feed = self.first().feed;
        self.write(feed.position, &vec![0u32; feed.position.models as usize])?;
        if self.is_resident {
            self.write(feed.order, &order)?;
        }
        self.order = order;
        self.done = 0;
        Ok(())
    }

    /// Begins a sweep through the rows as they are.
    pub fn start_in_order(&mut self) -> Result<()> {
        self.start((0..self.features.rows() as u32).collect())
    }

    /// Runs up to `limit` of the batches that remain, and what follows them; gives how many it ran, 0 at the end.
    pub async fn advance(&mut self, limit: usize) -> Result<usize> {
        let (rows, start) = (self.order.len(), self.done * self.batch_size);
        if start >= rows || limit == 0 {
            return Ok(0);
        }
        if !self.is_resident && start.is_multiple_of(self.window) {
            let window = &self.order[start..rows.min(start + self.window)];
            let targets = self.targets.as_deref().map(|targets| targets.select_rows(window));
            self.write_rows(self.features.select_rows(window).values(), targets.as_ref())?;
        }
        let window_end = rows.min((start / self.window + 1) * self.window);
        let full_batches = (window_end - start) / self.batch_size;
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

    /// The step that ran last, or will run first.
    pub fn pass(&self) -> &Pass {
        match &self.rest {
            Some(rest) if self.done == self.n_batches() => rest,
            _ => self.first(),
        }
    }

    /// Rows of a whole sweep.
    pub fn n_rows(&self) -> usize {
        self.features.rows()
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
        self.batch_size.min(self.features.rows() - index * self.batch_size)
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

/// Declares the data on the device and records the gathering of one batch out of them.
fn declare_batch(
    plan: &mut Plan,
    features: &Matrix,
    targets: Option<&Targets>,
    [rows, full_rows, window]: [usize; 3],
    n_batches: u32,
    models: u32,
) -> Result<(Batch, Feed)> {
    let (rows, window, columns) = (rows as u32, window as u32, features.columns() as u32);
    let element = |targets: &Targets| if matches!(targets, Targets::Values(_)) { Element::F32 } else { Element::U32 };
    let feed = Feed {
        features: plan.tensor("features", 1, window, columns),
        targets: targets
            .map(|targets| plan.tensor_of("targets", element(targets), 1, window, targets.columns() as u32)),
        order: plan.integers("order", 1, 1, window),
        position: plan.integers("position", models, 1, 1),
    };
    // All models go through the same rows, so the first one's position serves to gather.
    let position = Tensor { models: 1, ..feed.position };
    let x = plan.tensor("batch features", 1, rows, columns);
    record_gather(plan, feed.features, feed.order, position, x)?;
    let y = match (targets, feed.targets) {
        (Some(targets), Some(all)) => {
            let y = plan.tensor_of("batch targets", element(targets), 1, rows, all.columns);
            record_gather(plan, all, feed.order, position, y)?;
            Some(y)
        }
        _ => None,
    };
    Ok((Batch { x, y, position: feed.position, rows, full_rows: full_rows as u32, n_batches }, feed))
}
