//! Several trainings in one program.

use std::ops::ControlFlow;

use super::Prepared;
use crate::train::{Event, FittedMembers, Member, fit_members};
use crate::{Device, Result};

/// Elements of all data together that are packed; more are trained one after the other, which a device is kept busy
/// by anyway.
const MOST_ELEMENTS: usize = 1 << 27;

/// Networks of one program.
const MOST_MEMBERS: usize = 1024;

/// Runs several trainings, those of one shape and one recipe as networks of one program, and gives what each fitted.
///
/// # Errors
///
/// What the device reports, a loss that is no number.
pub fn fit_packed(
    device: &Device,
    trainings: &[Prepared],
    observe: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<Vec<FittedMembers>> {
    let mut fitted: Vec<Option<FittedMembers>> = vec![None; trainings.len()];
    for pack in packs(trainings) {
        let first = &trainings[pack[0]];
        // The data of all, one below the other; each network goes through its own part of them.
        let mut data = first.data.clone();
        let mut members: Vec<Member> = first.members.clone();
        for training in pack[1..].iter().map(|index| &trainings[*index]) {
            let start = data.rows() as u32;
            data = data.with_rows_of(&training.data)?;
            let moved = |rows: &[u32]| rows.iter().map(|row| start + row).collect();
            members.extend(training.members.iter().map(|member| Member {
                seed: member.seed,
                train: moved(&member.train),
                validation: moved(&member.validation),
            }));
        }
        let recipe = &first.recipe;
        let whole = fit_members(device, &first.network, &recipe.initial, &data, &members, &recipe.settings, observe)?;
        let length = first.network.length() as usize;
        let mut start = 0;
        for index in pack {
            let end = start + trainings[index].members.len();
            fitted[index] = Some(FittedMembers {
                values: whole.values[start * length..end * length].to_vec(),
                best_epochs: whole.best_epochs[start..end].to_vec(),
                ..whole.clone()
            });
            start = end;
        }
    }
    Ok(fitted.into_iter().map(|fitted| fitted.expect("each training is in a pack")).collect())
}

/// Which trainings go together.
fn packs(trainings: &[Prepared]) -> Vec<Vec<usize>> {
    let mut packs: Vec<Vec<usize>> = Vec::new();
    for (index, training) in trainings.iter().enumerate() {
        let elements = |training: &Prepared| training.data.rows() * training.data.features().columns();
        let fits = |pack: &&mut Vec<usize>| {
            let first = &trainings[pack[0]];
            let others = || pack.iter().map(|index| &trainings[*index]);
            first.network == training.network
                && first.recipe == training.recipe
                && others().map(elements).sum::<usize>() + elements(training) <= MOST_ELEMENTS
                && others().map(|other| other.members.len()).sum::<usize>() + training.members.len() <= MOST_MEMBERS
        };
        match packs.iter_mut().find(fits) {
            Some(pack) => pack.push(index),
            None => packs.push(vec![index]),
        }
    }
    packs
}
