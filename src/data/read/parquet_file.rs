//! Tables in Parquet files.

use super::{ReadOptions, Source};
use crate::Result;
use crate::data::Table;

pub(super) fn read(_source: Source, _options: &ReadOptions) -> Result<Table> {
    todo!()
}
