//! Everything that a training needs to go on where it was.

use std::collections::HashMap;
use std::fmt;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use web_time::Duration;

use super::plateau::Watch;
use super::stopping::Standing;
use super::update::Rates;
use super::{Member, MembersEpoch, Settings};
use crate::Result;
use crate::nn::Network;

/// Everything that a training of members needs to go on at the end of an epoch, with the same bytes as if it had
/// never stopped: all that lives on the device from step to step, the best weights, the epochs so far, what patience
/// and plateaus remember, and the caller's own context. The order of rows and what dropout drops follow from the
/// seeds and the number of the epoch.
///
/// With files, it is saved and loaded by [`Checkpoint::save`] and [`Checkpoint::load`].
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What the caller wanted to keep: its configuration, a hash of its data.
    pub context: serde_json::Value,
    pub(super) progress: Progress,
    /// What lives on the device from step to step: names and words.
    pub(super) state: Vec<(String, Vec<u32>)>,
    /// The best weights of each member, where they are kept.
    pub(super) best: Vec<Option<Vec<f32>>>,
}

/// When checkpoints are made, and what becomes of them.
pub struct Saving<'a> {
    /// The time from one to the next, at least; one is made at the end all the same, however the training ends, but
    /// for an error.
    pub every: Duration,
    /// Kept in each.
    pub context: serde_json::Value,
    /// What is done with each: [`Saving::to_file`] writes it.
    pub save: Save<'a>,
}

/// What is done with a checkpoint.
pub type Save<'a> = Box<dyn FnMut(&Checkpoint) -> Result<()> + 'a>;

impl fmt::Debug for Saving<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saving").field("every", &self.every).field("context", &self.context).finish_non_exhaustive()
    }
}

/// How far a training is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub identity: Identity,
    pub rates: Vec<Rates>,
    pub watches: Vec<Watch>,
    pub standings: Vec<Standing>,
    pub epochs: Vec<MembersEpoch>,
    pub elapsed: Duration,
}

/// What tells a training from others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    network: String,
    /// The seed of each member, and a checksum of its rows.
    members: Vec<(u64, u32)>,
    /// The settings as text, but for those that may change.
    settings: String,
}

impl Identity {
    pub(super) fn new(network: &Network, members: &[Member], settings: &Settings) -> Identity {
        let checksum = |member: &Member| {
            let mut hasher = crc32fast::Hasher::new();
            for rows in [&member.train, &member.validation] {
                hasher.update(&(rows.len() as u64).to_le_bytes());
                rows.iter().for_each(|row| hasher.update(&row.to_le_bytes()));
            }
            hasher.finalize()
        };
        let frozen = network.parameters().iter().filter(|spec| spec.is_frozen).map(|spec| spec.name.as_str());
        let Settings { optimizer, batch_size, loss, reduction, class_weights, groups, clip, accumulate, ema, .. } =
            settings;
        let Settings { epochs: _, seed: _, schedule, plateau, stopping, max_time: _, .. } = settings;
        Identity {
            network: network.to_string(),
            members: members.iter().map(|member| (member.seed, checksum(member))).collect(),
            settings: format!(
                "{optimizer:?}, batches of {batch_size}, loss {loss:?}, reduction {reduction:?}, class weights \
                 {class_weights:?}, groups {groups:?}, clip {clip:?}, accumulate {accumulate}, mean {ema:?}, a schedule: \
                 {}, a plateau: {}, stopping: {}, frozen: {:?}",
                schedule.is_some(),
                plateau.is_some(),
                stopping.is_some(),
                frozen.collect::<Vec<_>>()
            ),
        }
    }

    /// Whether another is the same; what is not is told.
    pub(super) fn compare(&self, found: &Identity) -> Result<(), String> {
        if self.network != found.network {
            return Err(format!("the network `{}` instead of `{}`", found.network, self.network));
        }
        if self.members.len() != found.members.len() {
            return Err(format!("{} members instead of {}", found.members.len(), self.members.len()));
        }
        for (index, (own, other)) in self.members.iter().zip(&found.members).enumerate() {
            let member = index + 1;
            if own.0 != other.0 {
                return Err(format!("the seed {} of member {member} instead of {}", other.0, own.0));
            }
            if own.1 != other.1 {
                return Err(format!("other rows of member {member}"));
            }
        }
        if self.settings != found.settings {
            return Err(format!("the settings {} instead of {}", found.settings, self.settings));
        }
        Ok(())
    }
}

/// What a file says beside its tensors.
#[derive(Serialize, Deserialize)]
struct Description {
    version: u32,
    context: serde_json::Value,
    progress: Progress,
    /// The names of the state's tensors.
    names: Vec<String>,
    /// Whether the best weights of each member are kept.
    has_best: Vec<bool>,
}

const VERSION: u32 = 1;

/// The key of the description in the metadata.
const KEY: &str = "nngpu-checkpoint";

/// What a file begins with; a checksum of all that follows it comes next.
const MAGIC: &[u8; 12] = b"nngpu check\n";

/// Bytes before the safetensors: the magic, and a CRC-32 in four bytes, the lowest first.
const HEADER: usize = MAGIC.len() + 4;

impl Checkpoint {
    /// Epochs that were done.
    pub fn n_epochs(&self) -> usize {
        self.progress.epochs.len()
    }

    /// How they went.
    pub fn epochs(&self) -> &[MembersEpoch] {
        &self.progress.epochs
    }

    /// How long they took.
    pub fn elapsed(&self) -> Duration {
        self.progress.elapsed
    }

    /// The bytes of a file: a line, a checksum of the rest, and safetensors with everything that is no tensor as JSON
    /// in their metadata.
    pub fn to_bytes(&self) -> Vec<u8> {
        let description = Description {
            version: VERSION,
            context: self.context.clone(),
            progress: self.progress.clone(),
            names: self.state.iter().map(|(name, _)| name.clone()).collect(),
            has_best: self.best.iter().map(Option::is_some).collect(),
        };
        let text = serde_json::to_string(&description).expect("maps have texts as keys");
        let state = self.state.iter().enumerate().map(|(index, (_, words))| {
            let bytes: &[u8] = bytemuck::cast_slice(words);
            (state_name(index), Dtype::U32, words.len(), bytes)
        });
        let best = self.best.iter().enumerate().filter_map(|(member, values)| {
            let values = values.as_ref()?;
            let bytes: &[u8] = bytemuck::cast_slice(values);
            Some((best_name(member), Dtype::F32, values.len(), bytes))
        });
        let views = state.chain(best).map(|(name, element, length, bytes)| {
            (name, TensorView::new(element, vec![length], bytes).expect("as many bytes as the shape tells"))
        });
        let metadata = HashMap::from([(KEY.to_string(), text)]);
        let payload = safetensors::serialize(views, Some(metadata)).expect("tensors of known sizes");
        let checksum = crc32fast::hash(&payload);
        [MAGIC.as_slice(), &checksum.to_le_bytes(), &payload].concat()
    }

    /// Reads what [`Checkpoint::to_bytes`] gave.
    ///
    /// # Errors
    ///
    /// What is wrong with other or damaged bytes, as a text.
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint, String> {
        if !bytes.starts_with(MAGIC) && !MAGIC.starts_with(bytes) {
            return Err("found another kind of file, expected a checkpoint".into());
        }
        let Some((header, payload)) = bytes.split_at_checked(HEADER) else {
            return Err(format!("found {} bytes, expected a whole checkpoint; it was cut short", bytes.len()));
        };
        if crc32fast::hash(payload).to_le_bytes() != header[MAGIC.len()..] {
            return Err("found bytes that do not have the checksum that was written; it is damaged or cut short".into());
        }
        let malformed = |error: &dyn fmt::Display| format!("found a checkpoint of another form: {error}");
        let (_, metadata) = SafeTensors::read_metadata(payload).map_err(|error| malformed(&error))?;
        let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let text = text.ok_or_else(|| malformed(&"its description is missing"))?;
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        if value["version"] != VERSION {
            return Err(format!(
                "found version {} of checkpoints, expected {VERSION}; use the nngpu that wrote it",
                value["version"]
            ));
        }
        let Description { context, progress, names, has_best, .. } =
            serde_json::from_value(value).map_err(|error| malformed(&error))?;
        let tensors = SafeTensors::deserialize(payload).map_err(|error| malformed(&error))?;
        let words = |name: String, element: Dtype| -> Result<Vec<u32>, String> {
            let tensor = tensors.tensor(&name).map_err(|error| malformed(&error))?;
            if tensor.dtype() != element {
                return Err(malformed(&format!("`{name}` of {:?}", tensor.dtype())));
            }
            let (words, _) = tensor.data().as_chunks::<4>();
            Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
        };
        let state = names.into_iter().enumerate();
        let state = state.map(|(index, name)| Ok((name, words(state_name(index), Dtype::U32)?)));
        let best = has_best.iter().enumerate().map(|(member, has_best)| {
            let words = has_best.then(|| words(best_name(member), Dtype::F32)).transpose()?;
            Ok(words.map(|words| words.into_iter().map(f32::from_bits).collect()))
        });
        let (state, best) = (state.collect::<Result<_, String>>()?, best.collect::<Result<_, String>>()?);
        Ok(Checkpoint { context, progress, state, best })
    }

    /// Whether every list has as many elements as there are members, and every epoch its number.
    pub(super) fn check_counts(&self, models: usize) -> Result<(), String> {
        let Progress { rates, watches, standings, epochs, .. } = &self.progress;
        let counts = [rates.len(), watches.len(), standings.len(), self.best.len()];
        let of_epochs = epochs.iter().flat_map(|epoch| {
            let MembersEpoch { losses, validation, best, is_out, learning_rates, .. } = epoch;
            [losses.len(), validation.len(), best.len(), is_out.len(), learning_rates.len()]
        });
        if let Some(count) = counts.into_iter().chain(of_epochs).find(|count| *count != models) {
            return Err(format!("lists of {count} members instead of {models}"));
        }
        match epochs.iter().zip(1..).find(|(epoch, number)| epoch.epoch != *number) {
            Some((epoch, number)) => Err(format!("epoch {} in the place of epoch {number}", epoch.epoch)),
            None => Ok(()),
        }
    }
}

fn state_name(index: usize) -> String {
    format!("state.{index}")
}

fn best_name(member: usize) -> String {
    format!("best.{member}")
}
