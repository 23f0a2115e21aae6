//! What the commands that train have in common: their options, their data, and what they leave behind.

use std::path::{Path, PathBuf};

use nngpu::data::{Format, ReadOptions, Table};
use nngpu::tabular::Options;
use nngpu::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How files of data are read; the same words in every command.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
#[command(next_help_heading = "Reading")]
pub struct Reading {
    /// Form of the data: csv, tsv, parquet, jsonl, npy or npz [default: found by looking]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "FORM")]
    format: Option<String>,

    /// What separates the fields of a line [default: found by looking]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,

    /// The first line is a row already, and names no columns; they are then called c1, c2 …
    #[serde(skip_serializing_if = "is_false")]
    #[arg(long)]
    no_header: bool,

    /// Encoding of a text that is not UTF-8, such as windows-1252
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,

    /// A text that stands for a missing value, beside an empty field, NA, null, nan, ? and the like
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    missing_value: Vec<String>,
}

pub fn is_false(value: &bool) -> bool {
    !value
}
