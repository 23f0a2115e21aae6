//! What can go wrong, said so that the reader knows what to do next.

use std::path::PathBuf;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause beneath an error, kept as its `source`.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Every failure of this crate.
///
/// A message says what was found, what was expected, where, and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // Choosing and opening a device.
    /// No adapter matches what was asked for.
    #[error(
        "no GPU adapter matches `{wanted}`; found {}; `nngpu devices` lists them, and `--device cpu` works without one",
        list(found)
    )]
    NoAdapter {
        /// The words that were to select a device.
        wanted: String,
        /// The adapters there are, each as `index: name (backend)`.
        found: Vec<String>,
    },
    /// The adapter refused to give a device.
    #[error("adapter `{adapter}` could not be opened; try another of `nngpu devices`, or `--device cpu`")]
    OpenDevice {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        source: Cause,
    },
    /// A number of threads that cannot be used.
    #[error("found {found} threads, expected at least 1")]
    Threads {
        /// The number asked for.
        found: usize,
    },
    /// The device stopped working: a driver reset, a removed card, a sleeping machine.
    #[error("the device `{adapter}` was lost ({reason}); start again from the last saved model, or use `--device cpu`")]
    DeviceLost {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// The driver or wgpu refused an operation.
    #[error("the device `{adapter}` refused to {doing}: {message}")]
    Driver {
        /// The adapter's name.
        adapter: String,
        /// What was being done.
        doing: String,
        /// What the driver said.
        message: String,
    },
    /// A buffer is larger than the adapter can bind.
    #[error(
        "buffer `{label}` needs {bytes} bytes, but `{adapter}` allows {limit} ({limit_name}); use a smaller batch or network, or another device"
    )]
    BufferTooLarge {
        /// The buffer's name.
        label: String,
        /// Its size.
        bytes: u64,
        /// The largest size that is allowed.
        limit: u64,
        /// The limit's name in WebGPU.
        limit_name: &'static str,
        /// The adapter's name.
        adapter: String,
    },
    /// A buffer or a program belongs to another device.
    #[error("`{label}` belongs to another device; allocate it on the device that uses it")]
    ForeignDevice {
        /// What was given.
        label: String,
    },
    /// The data for a buffer do not fit in it.
    #[error("buffer `{label}` holds {length} elements; found elements {start} to {end}")]
    OutOfRange {
        /// The buffer's name.
        label: String,
        /// Its length in elements.
        length: usize,
        /// First element of the range.
        start: usize,
        /// One past the last element of the range.
        end: usize,
    },

    // Recording a plan.
    /// Arrays whose shapes do not go together.
    #[error("{operation}: found {found}, expected {expected}")]
    Shape {
        /// What was being recorded.
        operation: String,
        /// The shapes that were given.
        found: String,
        /// The shapes that would do.
        expected: String,
    },
    /// A number outside its range.
    #[error("{name}: found {found}, expected {expected}")]
    Setting {
        /// The setting's name.
        name: String,
        /// What was given.
        found: String,
        /// What would do.
        expected: String,
    },

    // Files.
    /// A file cannot be read.
    #[error("{}: cannot be read", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("{}: cannot be written", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A model file is not one of ours, or is damaged.
    #[error("{}: {problem}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },

    // Training.
    /// The loss or a weight stopped being a number.
    #[error("{what} became {value} at step {step} (epoch {epoch}); {advice}")]
    NotFinite {
        /// The first tensor, in order of computation, that holds such a value.
        what: String,
        /// The value: `NaN`, `inf` or `-inf`.
        value: String,
        /// The step of the whole run, counted from 1.
        step: u64,
        /// The epoch, counted from 1.
        epoch: u64,
        /// What to try.
        advice: String,
    },
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".into() } else { items.join(", ") }
}
