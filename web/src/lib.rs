//! Trains small networks in a browser: what JavaScript calls.

mod step;

use std::cell::Cell;
use std::ops::{ControlFlow, RangeInclusive};

use futures_intrusive::sync::LocalMutex;
use js_sys::{JSON, Reflect, global};
use nngpu::data::{Classes, Dataset, Matrix, Targets};
use nngpu::doctor::{Examined, Extent, Report, examine_async};
use nngpu::train::{Evaluator, Trainer};
use nngpu::{Activation, Array, Device, Error, Mlp, Network, Optimizer, Result};
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// A device, and a network of two inputs that learns to tell two classes of points in the square
/// [-1, 1]² apart.
///
/// Calls may be made before earlier ones are done; they are answered one after the other.
#[wasm_bindgen]
pub struct Lab {
    device: Device,
    /// The step length that was asked for last. It holds from the next epoch on, also of those that
    /// are being computed.
    learning_rate: Cell<Option<f32>>,
    training: LocalMutex<Option<Training>>,
}

struct Training {
    data: Dataset,
    mlp: Mlp,
    trainer: Trainer<'static>,
    evaluator: Evaluator<'static>,
}

/// More make a browser's tab slow to answer.
const MAX_PARAMETERS: usize = 1_000_000;
const MAX_EPOCHS: usize = 1_000_000;
const MAX_RESOLUTION: usize = 1024;

#[wasm_bindgen]
impl Lab {
    /// Opens the GPU that the browser offers.
    pub async fn open() -> Result<Lab, JsError> {
        match Device::open_async("0", None).await {
            Ok(opened) => Ok(Lab::on(opened.device)),
            Err(Error::NoAdapter { .. }) if has_webgpu() => Err(JsError::new(
                "the browser has WebGPU but found no adapter for it; \
                 look whether its settings allow hardware acceleration, or train on the CPU",
            )),
            Err(Error::NoAdapter { .. }) => Err(JsError::new(
                "the browser has no WebGPU, or not for this page; use a current Chrome, Edge, Firefox or Safari \
                 with a page from https or localhost, or train on the CPU",
            )),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Takes the CPU, as WebAssembly: slower, and available everywhere.
    pub async fn open_cpu() -> Lab {
        Lab::on(Device::cpu())
    }

    fn on(device: Device) -> Lab {
        Lab { device, learning_rate: Cell::new(None), training: LocalMutex::new(None, true) }
    }

    /// What it runs on.
    pub fn device(&self) -> String {
        self.device.description()
    }

    /// Makes a new network for `points`, pairs of x and y in [-1, 1], and their `classes`, 0 or 1.
    #[allow(clippy::too_many_arguments, reason = "JavaScript has no structs to name them")]
    pub async fn start(
        &self,
        points: Vec<f32>,
        classes: Vec<u32>,
        hidden: Vec<u32>,
        activation: String,
        optimizer: String,
        learning_rate: f32,
        batch_size: f64,
        seed: f64,
    ) -> Result<(), JsError> {
        let new = || -> Result<Training> {
            let data = dataset(points, classes)?;
            let sizes: Vec<usize> = [2].into_iter().chain(hidden).chain([2]).map(|size| size as usize).collect();
            let activation: Activation = activation.parse()?;
            let n_parameters = Network::new(&sizes, activation)?.n_parameters();
            whole("parameters", n_parameters as f64, 1..=MAX_PARAMETERS)?;
            let optimizer = Optimizer::named(&optimizer, Some(learning_rate))?;
            let batch_size = whole("batch size", batch_size, 1..=u32::MAX as usize)?;
            let seed = whole("seed", seed, 0..=u32::MAX as usize)? as u64;
            let mut mlp = Mlp::new(&self.device, &sizes, activation, seed)?;
            let trainer = Trainer::new(&mut mlp, data.clone(), optimizer, batch_size, seed)?;
            let evaluator = Evaluator::new(&mlp, data.clone())?;
            Ok(Training { data, mlp, trainer, evaluator })
        };
        let mut training = self.training.lock().await;
        *training = Some(new().map_err(refusal)?);
        self.learning_rate.set(Some(learning_rate));
        Ok(())
    }

    /// Changes the step length from the next epoch on.
    pub fn set_learning_rate(&self, rate: f32) -> Result<(), JsError> {
        Optimizer::sgd(rate).check().map_err(refusal)?;
        self.learning_rate.get().ok_or_else(not_started)?;
        self.learning_rate.set(Some(rate));
        Ok(())
    }

    /// Trains for `n` epochs and gives the loss of each.
    pub async fn epochs(&self, n: f64) -> Result<Vec<f64>, JsError> {
        let n = whole("epochs", n, 1..=MAX_EPOCHS).map_err(refusal)?;
        let mut training = self.training.lock().await;
        let training = training.as_mut().ok_or_else(not_started)?;
        let mut losses = Vec::new();
        for _ in 0..n {
            losses.push(training.epoch(&self.learning_rate).await.map_err(refusal)?);
        }
        Ok(losses)
    }

    /// The part of all points whose class is predicted.
    pub async fn accuracy(&self) -> Result<f64, JsError> {
        let mut training = self.training.lock().await;
        let evaluator = &mut training.as_mut().ok_or_else(not_started)?.evaluator;
        Ok(evaluator.run_async().await.map_err(refusal)?.metric.value())
    }

    /// The probability of class 1 at the centres of a grid over [-1, 1]², rows from y = 1 down.
    pub async fn surface(&self, resolution: f64) -> Result<Vec<f32>, JsError> {
        let resolution = whole("resolution", resolution, 1..=MAX_RESOLUTION).map_err(refusal)?;
        let training = self.training.lock().await;
        training.as_ref().ok_or_else(not_started)?.surface(resolution).await.map_err(refusal)
    }

    /// The numbers of one step of plain SGD on the point at `index`, which leaves the network as it is.
    pub async fn step(&self, index: f64) -> Result<JsValue, JsError> {
        let training = self.training.lock().await;
        let learning_rate = self.learning_rate.get().ok_or_else(not_started)?;
        let Training { mlp, data, .. } = training.as_ref().ok_or_else(not_started)?;
        let index = whole("index of a point", index, 0..=data.rows() - 1).map_err(refusal)?;
        to_js(&step::step(mlp, data, index, learning_rate).await.map_err(refusal)?)
    }

    /// Weights and biases, layer by layer.
    pub async fn parameters(&self) -> Result<JsValue, JsError> {
        let training = self.training.lock().await;
        let mlp = &training.as_ref().ok_or_else(not_started)?.mlp;
        to_js(&step::parameters(mlp.network(), &mlp.values_async().await.map_err(refusal)?))
    }

    /// Computes every kernel and compares with its definition: what `nngpu doctor --json` prints.
    pub async fn examine(&self) -> Result<JsValue, JsError> {
        let findings = examine_async(&self.device, Extent::Whole, &mut |_| ()).await;
        to_js(&Report::new(vec![Examined::new(&self.device, findings)]))
    }
}

impl Training {
    async fn epoch(&mut self, learning_rate: &Cell<Option<f32>>) -> Result<f64> {
        if let Some(rate) = learning_rate.get().filter(|rate| *rate != self.trainer.optimizer().learning_rate()) {
            self.trainer.set_learning_rate(rate)?;
        }
        let epoch = self.trainer.epoch_async(&mut |_| ControlFlow::Continue(())).await?;
        Ok(epoch.expect("nobody breaks it off").loss)
    }

    async fn surface(&self, resolution: usize) -> Result<Vec<f32>> {
        let centre = |place: usize| (2 * place + 1) as f32 / resolution as f32 - 1.0;
        let points: Vec<f32> = (0..resolution)
            .flat_map(|row| (0..resolution).flat_map(move |column| [centre(column), -centre(row)]))
            .collect();
        let points = Array::new(self.mlp.device(), [resolution * resolution, 2], &points)?;
        let probabilities = self.mlp.forward(&points)?.softmax()?.to_vec_async().await?;
        Ok(probabilities.into_iter().skip(1).step_by(2).collect())
    }
}

fn dataset(points: Vec<f32>, classes: Vec<u32>) -> Result<Dataset> {
    if let Some(value) = points.iter().find(|value| !(-1.0..=1.0).contains(*value)) {
        return Err(setting("coordinate of a point", value.to_string(), "a number from -1 to 1"));
    }
    let points = Matrix::new(points.len() / 2, 2, points)?;
    let names = ["0", "1"].map(String::from).into();
    Dataset::new(points, Targets::Classes(Classes { indices: classes, names }))
}

/// JavaScript's only numbers are floats.
fn whole(name: &str, value: f64, range: RangeInclusive<usize>) -> Result<usize> {
    if value.fract() == 0.0 && range.contains(&(value as usize)) && value >= 0.0 {
        return Ok(value as usize);
    }
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    Err(setting(name, value.to_string(), &expected))
}

fn setting(name: &str, found: String, expected: &str) -> Error {
    Error::Setting { name: name.into(), found, expected: expected.into() }
}

fn not_started() -> JsError {
    JsError::new("there is no network yet; call start first")
}

/// An error with its causes.
fn refusal(error: Error) -> JsError {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(source) = cause {
        message += &format!(": {source}");
        cause = source.source();
    }
    JsError::new(&message)
}

fn to_js(value: &impl Serialize) -> Result<JsValue, JsError> {
    let text = serde_json::to_string(value)?;
    JSON::parse(&text).map_err(|_| JsError::new("the numbers could not be handed over"))
}

/// Whether the browser offers WebGPU to this page, with an adapter or without.
fn has_webgpu() -> bool {
    let navigator = Reflect::get(&global(), &"navigator".into());
    navigator.and_then(|navigator| Reflect::get(&navigator, &"gpu".into())).is_ok_and(|gpu| !gpu.is_undefined())
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn error(message: &str);
}

/// Without this a panic, which is a fault of ours, would say nothing but `unreachable`.
#[wasm_bindgen(start)]
fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}
