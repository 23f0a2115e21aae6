//! How predictions are written: which columns there are, and what stands in them.

use nngpu::data::{Answers, Column, LabelTarget, NumberTarget, Predictions, Table, TargetEncoding};
use nngpu::{Error, metrics};

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// A line of names, and a line for each row.
    #[default]
    Csv,
    /// A JSON object on each line, whose keys are the names.
    Jsonl,
}

/// What is asked for beside the answer itself.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Wanted {
    /// A column with the probability of each class: `probability of NAME`
    #[arg(long)]
    pub probabilities: bool,

    /// So many classes, the most probable first, each with its probability
    #[arg(long, value_name = "CLASSES")]
    pub top: Option<usize>,

    /// Beside each number or probability how far the networks of the model disagree, as the standard deviation of
    /// their answers: `spread of NAME`. Prediction ± spread holds about two thirds of the networks; it tells nothing of
    /// noise in the data
    #[arg(long)]
    pub spread: bool,
}

/// The columns of predictions of a model.
#[derive(Debug)]
pub struct Layout<'a> {
    output: &'a TargetEncoding,
    wanted: &'a Wanted,
    /// The names of all columns, first those that are kept of the input.
    names: Vec<String>,
    n_kept: usize,
}

/// What stands in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    Text(String),
    /// Written as it is, in JSON too.
    Number(String),
    /// As the data have it.
    Missing(String),
}

impl<'a> Layout<'a> {
    /// The columns for a model of `members` networks, behind those named `kept`. A name that is taken already has
    /// `predicted` before it.
    ///
    /// # Errors
    ///
    /// Something wanted that the model cannot tell; a column kept twice.
    pub fn new(
        output: &'a TargetEncoding,
        members: usize,
        wanted: &'a Wanted,
        kept: &[String],
    ) -> Result<Layout<'a>, Error> {
        check(output, members, wanted)?;
        let mut names: Vec<String> = Vec::new();
        for name in kept {
            if names.contains(name) {
                return Err(refuse("keep", format!("`{name}` twice"), "each column once".into()));
            }
            names.push(name.clone());
        }
        for mut name in answer_names(output, wanted) {
            while names.contains(&name) {
                name = format!("predicted {name}");
            }
            names.push(name);
        }
        Ok(Layout { output, wanted, names, n_kept: kept.len() })
    }

    /// What comes before the first row.
    pub fn header(&self, form: Form) -> Vec<u8> {
        match form {
            Form::Csv => csv([&self.names].into_iter().map(|names| names.iter().map(String::as_str))),
            Form::Jsonl => Vec::new(),
        }
    }

    /// The rows of a table with their predictions; without a table, nothing is kept.
    ///
    /// # Errors
    ///
    /// A column to keep that the table does not have.
    pub fn rows(&self, form: Form, table: Option<&Table>, predictions: &Predictions) -> Result<Vec<u8>, Error> {
        let kept = match table {
            Some(table) => self.names[..self.n_kept].iter().map(|name| table.column(name)).collect::<Result<_, _>>()?,
            None => Vec::<&Column>::new(),
        };
        let field = |column: &&Column, row| match column.is_missing(row) {
            true => Field::Missing(column.written(row).into_owned()),
            false => Field::Text(column.written(row).into_owned()),
        };
        let records = (0..predictions.answers.rows()).map(|row| {
            let mut fields: Vec<Field> = kept.iter().map(|column| field(column, row)).collect();
            fields.extend(answer_fields(self.output, self.wanted, predictions, row));
            fields
        });
        Ok(match form {
            Form::Csv => csv(records.map(|fields| fields.into_iter().map(Field::into_text))),
            Form::Jsonl => records.flat_map(|fields| self.object(&fields).into_bytes()).collect(),
        })
    }

    /// A line with the fields as an object, in their order.
    fn object(&self, fields: &[Field]) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let pair = |(name, field): (&String, &Field)| {
            let value = match field {
                Field::Text(value) => text(value),
                // A number beyond all bounds is none in JSON.
                Field::Number(number) if number.parse::<f64>().is_ok_and(f64::is_finite) => number.clone(),
                Field::Number(_) | Field::Missing(_) => "null".into(),
            };
            format!("{}:{value}", text(name))
        };
        let pairs: Vec<String> = self.names.iter().zip(fields).map(pair).collect();
        format!("{{{}}}\n", pairs.join(","))
    }
}

impl Field {
    fn into_text(self) -> String {
        match self {
            Field::Text(text) | Field::Number(text) | Field::Missing(text) => text,
        }
    }
}

/// One row's prediction with its names, as [`Layout`] writes it.
pub fn told(output: &TargetEncoding, predictions: &Predictions, row: usize) -> Vec<(String, String)> {
    let wanted = Wanted::default();
    let fields = answer_fields(output, &wanted, predictions, row);
    answer_names(output, &wanted).into_iter().zip(fields.into_iter().map(Field::into_text)).collect()
}

fn check(output: &TargetEncoding, members: usize, wanted: &Wanted) -> Result<(), Error> {
    let n_classes = match output {
        TargetEncoding::Classes(target) => target.classes.len(),
        _ => 0,
    };
    if wanted.probabilities && matches!(output, TargetEncoding::Numbers(_)) {
        let expected = "a model of classes or labels; `--spread` tells how sure a model of numbers is".into();
        return Err(refuse("probabilities", "a model of numbers".into(), expected));
    }
    if let Some(top) = wanted.top {
        if n_classes == 0 {
            return Err(refuse("top", format!("a model for {}", output.task()), "a model of classes".into()));
        }
        if !(1..=n_classes).contains(&top) {
            let expected = format!("1 to {n_classes}, the number of classes");
            return Err(refuse("top", top.to_string(), expected));
        }
    }
    if wanted.spread && members == 1 {
        let expected = "several that can disagree; train with `--members 8`".into();
        return Err(refuse("spread", "a model of one network".into(), expected));
    }
    Ok(())
}

fn refuse(name: &str, found: String, expected: String) -> Error {
    Error::Setting { name: name.into(), found, expected }
}

/// The names of what is answered, in the order of [`answer_fields`].
fn answer_names(output: &TargetEncoding, wanted: &Wanted) -> Vec<String> {
    let mut names = Vec::new();
    let mut push = |value: Option<String>, probability: Option<String>, spread: String| {
        names.extend(value);
        names.extend(probability);
        names.extend(wanted.spread.then_some(spread));
    };
    match output {
        TargetEncoding::Numbers(targets) => {
            for NumberTarget { name, .. } in targets {
                push(Some(name.clone()), None, format!("spread of {name}"));
            }
        }
        TargetEncoding::Classes(target) => {
            for place in 1..=wanted.top.unwrap_or(1) {
                let place = if place == 1 { String::new() } else { format!(" {place}") };
                let name = Some(format!("{}{place}", target.name));
                push(name, Some(format!("probability{place}")), format!("spread{place}"));
            }
            for class in target.classes.iter().filter(|_| wanted.probabilities) {
                push(None, Some(format!("probability of {class}")), format!("spread of {class}"));
            }
        }
        TargetEncoding::Labels(labels) => {
            for LabelTarget { name, .. } in labels {
                push(Some(name.clone()), Some(format!("probability of {name}")), format!("spread of {name}"));
            }
        }
    }
    names
}

/// What is answered for a row.
fn answer_fields(output: &TargetEncoding, wanted: &Wanted, predictions: &Predictions, row: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    let columns = output.n_outputs();
    let spreads = predictions.spread.as_ref().filter(|_| wanted.spread).map(|all| &all[row * columns..][..columns]);
    let mut push = |text: Option<Field>, probability: Option<f32>, column: usize| {
        fields.extend(text);
        fields.extend(probability.map(|probability| Field::Number(probability.to_string())));
        // As many digits as an answer of 32 bits has.
        fields.extend(spreads.map(|spreads| Field::Number((spreads[column] as f32).to_string())));
    };
    match (output, &predictions.answers) {
        (TargetEncoding::Numbers(targets), Answers::Numbers { values, .. }) => {
            for (column, target) in targets.iter().enumerate() {
                let number = target.text(values[row * columns + column]);
                push(Some(Field::Number(number)), None, column);
            }
        }
        (TargetEncoding::Classes(target), Answers::Classes { probabilities, .. }) => {
            let own = probabilities.row(row);
            let mut order: Vec<usize> = (0..columns).collect();
            // Of equal ones the first comes first, as accuracy counts.
            order.sort_by(|a, b| own[*b].total_cmp(&own[*a]));
            for class in order.into_iter().take(wanted.top.unwrap_or(1)) {
                push(Some(Field::Text(target.classes[class].clone())), Some(own[class]), class);
            }
            for (class, probability) in own.iter().enumerate().filter(|_| wanted.probabilities) {
                push(None, Some(*probability), class);
            }
        }
        (TargetEncoding::Labels(labels), Answers::Labels { probabilities, .. }) => {
            for (column, (label, probability)) in labels.iter().zip(probabilities.row(row)).enumerate() {
                let word = if metrics::is_answered(*probability) { &label.yes } else { &label.no };
                push(Some(Field::Text(word.clone())), Some(*probability), column);
            }
        }
        _ => unreachable!("answers of another kind than their encoding"),
    }
    fields
}

/// Lines of CSV.
fn csv<R: IntoIterator<Item = impl AsRef<[u8]>>>(records: impl Iterator<Item = R>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record).expect("memory takes everything, and each row has as many fields");
    }
    writer.into_inner().expect("memory takes everything")
}
