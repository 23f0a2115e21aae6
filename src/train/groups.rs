//! Which optimizer moves which parameter.

use crate::kernels::optimizer::{Optimizer, Part};
use crate::nn::{Network, matches};
use crate::{Error, Result};

/// Parameters that an optimizer of their own moves.
///
/// ```
/// use nngpu::Optimizer;
/// use nngpu::train::{Group, Settings};
///
/// // Matrices by Muon, biases by Adam.
/// let groups = vec![Group { pattern: "*.bias".into(), optimizer: Optimizer::adam(0.001) }];
/// let settings = Settings { optimizer: Optimizer::muon(0.02), groups, ..Settings::default() };
/// settings.check()?;
/// # Ok::<(), nngpu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The names, such as `layers.0.weight`; `*` stands for any characters: `*.bias`, `layers.2.*`.
    pub pattern: String,
    /// The rule. Where the training has a schedule, the group's learning rate is always the same multiple of the
    /// others' as here.
    pub optimizer: Optimizer,
}

/// An optimizer with the parameters that it moves.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Share {
    pub optimizer: Optimizer,
    pub parts: Vec<Part>,
}

/// Gives each parameter of a network that is trained to the first group whose pattern it has, or else to
/// `fallback`. Shares without parameters are left out.
///
/// # Errors
///
/// A pattern that no parameter has.
pub(super) fn shares(network: &Network, fallback: Optimizer, groups: &[Group]) -> Result<Vec<Share>> {
    let names = || network.parameters().iter().map(|spec| spec.name.as_str());
    for Group { pattern, .. } in groups {
        if !names().any(|name| matches(pattern, name)) {
            return Err(Error::Setting {
                name: "pattern of parameters".into(),
                found: format!("`{pattern}`, which none has"),
                expected: format!("one for some of {}", names().collect::<Vec<_>>().join(", ")),
            });
        }
    }
    let optimizers = groups.iter().map(|group| group.optimizer).chain([fallback]);
    let mut shares: Vec<Share> = optimizers.map(|optimizer| Share { optimizer, parts: Vec::new() }).collect();
    for spec in network.parameters().iter().filter(|spec| spec.is_trained()) {
        let index = groups.iter().position(|group| matches(&group.pattern, &spec.name)).unwrap_or(groups.len());
        shares[index].parts.push(Part::from(spec));
    }
    shares.retain(|share| !share.parts.is_empty());
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;

    #[test]
    fn each_parameter_goes_to_the_first_group_that_it_matches() {
        let mut network = Network::new(&[3, 2, 1], Activation::Relu).expect("sizes");
        network.freeze("layers.1.bias").expect("there is one");
        let group = |pattern: &str, optimizer| Group { pattern: pattern.into(), optimizer };
        let (fast, slow) = (Optimizer::sgd(0.5), Optimizer::adam(0.25));
        let groups = [group("*.bias", slow), group("layers.0.*", Optimizer::lion(0.1))];
        let found = shares(&network, fast, &groups).expect("names that there are");
        let offsets: Vec<_> = found
            .iter()
            .map(|share| (share.optimizer.name(), share.parts.iter().map(|part| part.offset).collect::<Vec<_>>()))
            .collect();
        assert_eq!(offsets, [("adam", vec![8]), ("lion", vec![0]), ("sgd", vec![12])]);
        let refused = shares(&network, fast, &[group("layers.7.*", slow)]).expect_err("no such layer");
        assert_eq!(
            refused.to_string(),
            "pattern of parameters: found `layers.7.*`, which none has, expected one for some of layers.0.weight, \
             layers.0.bias, layers.1.weight, layers.1.bias"
        );
    }
}
