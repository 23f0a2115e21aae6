//! Tables and images on disk, turned into matrices.
//!
//! A file (CSV, JSON lines, Parquet, NumPy's) becomes a [`Table`]; its feature columns become a [`Matrix`], its target column
//! becomes [`Targets`]. IDX files (MNIST) become matrices directly, by [`idx`].
//! [`Schema`] finds out what the columns of a table are, and [`check`](mod@check) what is doubtful about them.
//! [`Standardiser`] brings columns to one scale, [`Splitter`] sets rows aside for validating and testing.
//!
//! ```
//! use nngpu::data::{Standardiser, Table, Targets};
//!
//! let table = Table::read_csv("examples/data/iris.csv")?;
//! let mut features = table.features(Some("species"), &[])?;
//! Standardiser::fit(&features.values).apply(&mut features.values);
//! let Targets::Classes(classes) = Targets::from_table(&table, "species", None)? else {
//!     panic!("text is taken as classes");
//! };
//!
//! assert_eq!((features.values.rows(), features.values.columns()), (150, 4));
//! assert_eq!(classes.names, ["setosa", "versicolor", "virginica"]);
//! # Ok::<(), nngpu::Error>(())
//! ```

mod matrix;

mod target;

mod dataset;

#[cfg(feature = "data")]
mod table;
#[cfg(feature = "data")]
mod target_column;

#[cfg(feature = "data")]
mod codes;
#[cfg(feature = "data")]
mod date;
#[cfg(feature = "data")]
mod schema;

#[cfg(feature = "data")]
mod preprocess;
#[cfg(feature = "data")]
mod target_encoding;

#[cfg(feature = "data")]
pub mod check;

#[cfg(feature = "data")]
pub mod idx;

mod split;
mod splitter;
mod standardise;

#[cfg(feature = "data")]
mod read;
#[cfg(feature = "data")]
mod source;

#[cfg(all(test, feature = "data"))]
mod fuzz;

pub use dataset::Dataset;
#[cfg(feature = "data")]
pub use date::{DateFormat, Moment};
pub use matrix::Matrix;
#[cfg(feature = "data")]
pub use preprocess::{
    Applied, BooleanEncoder, Clip, ColumnDescription, DateEncoder, DatePart, EmbeddedInput, EmbeddingEncoder,
    EncodedColumn, EncodedPart, Encoder, Fill, KnownLevels, NumberEncoder, OneHotEncoder, Preprocessing,
    PreprocessingOptions, Scale, Scaling, UnknownValues,
};
#[cfg(feature = "data")]
pub use read::{Chunks, Format, ReadOptions, read_chunks};
#[cfg(feature = "data")]
pub use schema::{ColumnSchema, ColumnType, Role, Schema, SchemaOptions, boolean};
pub use split::Split;
pub use splitter::{Parts, SplitRule, Splitter};
pub use standardise::Standardiser;
#[cfg(feature = "data")]
pub use table::{Column, ColumnBuilder, Features, Levels, MISSING, Table, Values, number, number_text};
pub use target::{Classes, Targets, Task};
#[cfg(feature = "data")]
pub use target_encoding::{
    Answers, ClassTarget, LabelTarget, NumberTarget, Predictions, TargetEncoding, TargetOptions, TaskChoice, Transform,
};
