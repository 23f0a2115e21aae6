//! Every kernel: its shader in `shaders/`, its description and its twin carry one name.
//!
//! A `record_x` function checks shapes and appends `X` to a plan.

pub mod activation;
pub mod array;
pub mod batch;
pub mod dropout;
pub mod embedding;
pub(crate) mod formula;
pub mod gate;
pub mod loss;
pub mod matmul;
pub mod normalise;
pub mod optimizer;
pub mod softmax;

use crate::compute::Kernel;
pub use formula::examples;

/// Text that every shader shares.
const VIEW: &str = include_str!("../../shaders/shared/view.wgsl");

/// Text of the shaders that need a function which WGSL lacks, or grants too few digits.
const ELEMENTARY: &str = include_str!("../../shaders/shared/elementary.wgsl");

/// Text of the shaders that look for NaN.
const NAN: &str = include_str!("../../shaders/shared/nan.wgsl");

/// Every kernel of the crate, but for those of formulas, which are made at run time.
pub fn all() -> &'static [&'static Kernel] {
    static ALL: &[&Kernel] = &[
        &optimizer::schedule::ACCUMULATE,
        &activation::ACTIVATE,
        &activation::ACTIVATE_BACKWARD,
        &optimizer::adadelta::ADADELTA,
        &optimizer::adafactor::ADAFACTOR,
        &optimizer::adafactor::ADAFACTOR_CLOCK,
        &optimizer::adafactor::ADAFACTOR_DIRECTION,
        &optimizer::adafactor::ADAFACTOR_MEAN,
        &optimizer::adam::ADAM,
        &optimizer::adam::ADAMAX,
        &array::ADD_BIAS,
        &array::ARITHMETIC,
        &array::BLEND,
        &loss::CLASS_WEIGHTS,
        &optimizer::clip::CLIP,
        &array::COLUMN_SUM,
        &array::COPY,
        &loss::CORRECT,
        &loss::COSINE_SIMILARITY,
        &dropout::COUNT,
        &loss::CROSS_ENTROPY,
        &loss::CROSS_ENTROPY_CLASSES,
        &dropout::DROPOUT,
        &embedding::EMBED,
        &embedding::EMBED_GRADIENT,
        &loss::FOCAL,
        &batch::GATHER,
        &loss::GAUSSIAN_NLL,
        &gate::GLU,
        &gate::GLU_BACKWARD,
        &loss::KL_DIV,
        &optimizer::lion::LION,
        &loss::MARGIN_RANKING,
        &matmul::MATMUL,
        &normalise::MOMENTS,
        &optimizer::sgd::MOMENTUM,
        &optimizer::muon::MUON,
        &loss::NLL,
        &normalise::NORMALISE,
        &normalise::NORMALISE_BACKWARD,
        &normalise::NORMALISE_GRADIENT,
        &loss::NORMALISE_WEIGHTS,
        &loss::POINTWISE_LOSS,
        &optimizer::adam::POWERS,
        &gate::PRELU,
        &gate::PRELU_BACKWARD,
        &gate::PRELU_GRADIENT,
        &optimizer::schedule::RATE,
        &optimizer::clip::RESCALE,
        &optimizer::rmsprop::RMSPROP,
        &optimizer::sgd::SGD,
        &softmax::SOFTMAX,
        &softmax::SOFTMAX_BACKWARD,
        &optimizer::clip::SQUARES,
        &array::SUM,
        &batch::TALLY,
        &loss::TRIPLET,
    ];
    ALL
}

/// Every kernel of the crate, and those of a few formulas, which stand for all that are made at run time: what
/// tests and checks read and run.
pub fn all_and_examples() -> Vec<&'static Kernel> {
    all().iter().copied().chain(formula::examples()).collect()
}

/// A number that changes with any form's text: names a version of all kernels together.
pub fn fingerprint() -> u64 {
    // FNV-1a: the same numbers with every compiler, which the standard library's hashes do not promise.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for kernel in all_and_examples() {
        for form in kernel.forms {
            add(kernel.name.as_bytes());
            add(form.name.as_bytes());
            form.constants.iter().for_each(|(name, value)| {
                add(name.as_bytes());
                add(&value.to_bits().to_le_bytes());
            });
            form.wgsl.iter().for_each(|text| add(text.as_bytes()));
        }
    }
    hash
}

/// Every element of a step: model, row, column, row by row.
pub(crate) fn elements(models: u32, rows: u32, columns: u32) -> impl Iterator<Item = (u32, u32, u32)> {
    Elements { rows, columns, next: (0, 0, 0), left: u64::from(models) * u64::from(rows) * u64::from(columns) }
}

/// Counts through three digits. Nested `flat_map`s say the same, but are called for each element.
struct Elements {
    rows: u32,
    columns: u32,
    next: (u32, u32, u32),
    left: u64,
}

impl Iterator for Elements {
    type Item = (u32, u32, u32);

    #[inline]
    fn next(&mut self) -> Option<(u32, u32, u32)> {
        self.left = self.left.checked_sub(1)?;
        let (model, row, column) = self.next;
        self.next = if column + 1 < self.columns {
            (model, row, column + 1)
        } else if row + 1 < self.rows {
            (model, row + 1, 0)
        } else {
            (model + 1, 0, 0)
        };
        Some((model, row, column))
    }
}

/// Every row of a step: model, row.
fn rows(models: u32, rows: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..models).flat_map(move |model| (0..rows).map(move |row| (model, row)))
}

/// Calls a function as code for the widest vectors that this CPU has; it must be `#[inline(always)]`,
/// for only what is inlined is compiled so.
///
/// The operations and their order are those of the source, so that a twin that is called so gives
/// the same bytes, only sooner. The choice costs some nanoseconds: not worth it for tiny kernels.
macro_rules! vectorised {
    ($call:expr) => {
        $crate::kernels::with_widest_vectors(
            #[inline(always)]
            || $call,
        )
    };
}
use vectorised;

#[inline(always)]
fn with_widest_vectors(work: impl FnOnce()) {
    pulp::Arch::new().dispatch(work);
}
