//! What a model file says beside the weights, in each version of its format.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Input, Provenance};
use crate::data::{ClassTarget, NumberTarget, Preprocessing, Standardiser, TargetEncoding};
use crate::kernels::activation::Activation;
use crate::kernels::loss::Loss;
use crate::nn::Network;

/// The version that is written. A change that older versions cannot read raises it.
const VERSION: u32 = 3;

/// Everything but the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Description {
    pub version: u32,
    pub network: Network,
    pub members: usize,
    pub loss: Loss,
    pub input: Input,
    pub output: TargetEncoding,
    pub provenance: Provenance,
}

/// What every version has.
#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    version: Value,
}

/// Versions 1 and 2.
#[derive(Deserialize)]
struct Older {
    #[serde(flatten)]
    shape: Shape,
    input: OlderInput,
    output: OlderOutput,
    /// Since version 2.
    loss: Option<Loss>,
}

/// The network, as each version tells it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    /// Version 2.
    Layers { network: Network },
    /// Version 1, of linear layers with one activation.
    Sizes { sizes: Vec<usize>, activation: Activation },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum OlderInput {
    Table { columns: Vec<String>, standardiser: Standardiser },
    Images,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum OlderOutput {
    Number { name: String, standardiser: Standardiser },
    Class { name: String, classes: Vec<String> },
}

impl Description {
    pub fn new(
        network: &Network,
        members: usize,
        loss: Loss,
        input: &Input,
        output: &TargetEncoding,
        provenance: &Provenance,
    ) -> Description {
        Description {
            version: VERSION,
            network: network.clone(),
            members,
            loss,
            input: input.clone(),
            output: output.clone(),
            provenance: provenance.clone(),
        }
    }

    /// Reads the text of any version, or tells what is wrong with it.
    pub fn read(text: &str) -> Result<Description, String> {
        let damaged = |error: &dyn std::fmt::Display| format!("its description is damaged: {error}");
        let Version { version } = serde_json::from_str(text).map_err(|error| damaged(&error))?;
        match version.as_u64() {
            Some(1 | 2) => {
                let older: Older = serde_json::from_str(text).map_err(|error| damaged(&error))?;
                older.into_description().map_err(|error| damaged(&error))
            }
            Some(3) => serde_json::from_str(text).map_err(|error| damaged(&error)),
            _ => Err(format!(
                "found version {version} of the format, expected 1 to {VERSION}; use the nngpu that wrote it, or train again"
            )),
        }
    }
}

impl Older {
    fn into_description(self) -> crate::Result<Description> {
        let network = match self.shape {
            Shape::Layers { network } => network,
            Shape::Sizes { sizes, activation } => Network::new(&sizes, activation)?,
        };
        let loss = self.loss.unwrap_or(match &self.output {
            OlderOutput::Number { .. } => Loss::Mse,
            OlderOutput::Class { .. } => Loss::CrossEntropy,
        });
        let input = match self.input {
            OlderInput::Table { columns, standardiser } => {
                Input::Table(Preprocessing::standardised(columns, &standardiser)?)
            }
            OlderInput::Images => Input::Images,
        };
        let output = match self.output {
            OlderOutput::Number { name, standardiser } => {
                let scales = standardiser.mean().iter().zip(standardiser.scale());
                let number = |(&mean, &scale)| NumberTarget::standardised(&*name, f64::from(mean), f64::from(scale));
                TargetEncoding::Numbers(scales.map(number).collect())
            }
            OlderOutput::Class { name, classes } => TargetEncoding::Classes(ClassTarget { name, classes }),
        };
        Ok(Description {
            version: VERSION,
            network,
            members: 1,
            loss,
            input,
            output,
            provenance: Provenance::default(),
        })
    }
}
