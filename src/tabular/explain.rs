//! One row's way through a trained model, number by number.

mod inputs;

pub use inputs::{ColumnInputs, MadeInput, column_inputs, unnamed_inputs};

use crate::data::Matrix;
use crate::kernels::loss::Loss;
use crate::model::Model;
use crate::nn::{Layer, Mlp, Network, ParameterSpec, Role};
use crate::{Device, Error, Result, train};

/// A layer, with what goes into it and what comes out of it for one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The layer. Of a residual layer the layers within come before it, and its own step is the sum alone.
    pub layer: Layer,
    /// How many residual layers it lies in.
    pub depth: usize,
    /// Its parameters with their values, row by row, of the member that is explained.
    pub parameters: Vec<(ParameterSpec, Vec<f32>)>,
    /// What each of `inputs` is called.
    pub input_names: Vec<String>,
    /// What goes in.
    pub inputs: Vec<f32>,
    /// What each of `outputs` is called.
    pub output_names: Vec<String>,
    /// What comes out, computed on the device.
    pub outputs: Vec<f32>,
}

/// A product within the sum of a neuron.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Which input.
    pub input: usize,
    /// The weight that it is multiplied with.
    pub weight: f32,
    /// Input times weight.
    pub product: f64,
}

/// The steps of one row through one member of a model.
///
/// `features` are the inputs of some rows, `[rows, inputs]`, and `row` is one of them: all go through the device
/// together, as they do in a prediction. Members are counted from 0. What comes out of each layer is computed on the
/// device by the network that ends with that layer; a network of n layers costs n predictions.
///
/// # Errors
///
/// A member or a row that there is not, another number of columns, a lost device.
pub fn steps(model: &Model, device: &Device, features: &Matrix, row: usize, member: usize) -> Result<Vec<Step>> {
    let refuse = |name: &str, found: usize, end: usize| {
        let (found, expected) = ((found + 1).to_string(), format!("1 to {end}"));
        Err(Error::Setting { name: name.into(), found, expected })
    };
    if member >= model.members {
        return refuse("member", member, model.members);
    }
    if row >= features.rows() {
        return refuse("row", row, features.rows());
    }
    let length = model.network.length() as usize;
    let values = &model.values[member * length..][..length];
    let mut walk = Walk { network: &model.network, device, values, features, row, steps: Vec::new() };
    let names = match &model.input {
        crate::model::Input::Table(preprocessing) => preprocessing.input_names(),
        crate::model::Input::Images => unnamed_inputs(features.columns()),
    };
    walk.through(model.network.layers(), Vec::new(), 0, names)?;
    Ok(walk.steps)
}

impl Step {
    /// The products of a neuron of a linear layer, the largest first, whatever their sign; nothing of other layers.
    ///
    /// # Panics
    ///
    /// There is no such neuron.
    pub fn terms(&self, neuron: usize) -> Vec<Term> {
        let Some(weight) = self.parameter(Role::Weight) else { return Vec::new() };
        let weights = &weight[neuron * self.inputs.len()..][..self.inputs.len()];
        let term = |(input, (&weight, &x)): (usize, (&f32, &f32))| Term {
            input,
            weight,
            product: f64::from(weight) * f64::from(x),
        };
        let mut terms: Vec<Term> = weights.iter().zip(&self.inputs).enumerate().map(term).collect();
        // The sort keeps the order of equal ones.
        terms.sort_by(|a, b| b.product.abs().total_cmp(&a.product.abs()));
        terms
    }

    /// The values of the parameter of a kind, if it has one.
    pub fn parameter(&self, role: Role) -> Option<&[f32]> {
        let found = self.parameters.iter().find(|(spec, _)| spec.role == role);
        found.map(|(_, values)| &values[..])
    }

    /// `layers.2`, as its parameters are named; nothing where it has none.
    pub fn path(&self) -> Option<&str> {
        let (spec, _) = self.parameters.first()?;
        spec.name.rsplit_once('.').map(|(path, _)| path)
    }
}

/// Goes through a network layer by layer.
struct Walk<'a> {
    network: &'a Network,
    device: &'a Device,
    /// Of one member.
    values: &'a [f32],
    features: &'a Matrix,
    row: usize,
    steps: Vec<Step>,
}

impl Walk<'_> {
    /// Goes through `layers`, which follow those of `before`, where residual layers that are not yet at their end
    /// have been replaced by the layers within: those have the same parameters in the same order.
    fn through(
        &mut self,
        layers: &[Layer],
        mut before: Vec<Layer>,
        depth: usize,
        mut names: Vec<String>,
    ) -> Result<Vec<String>> {
        let mut inputs = self.outputs(&before)?;
        for layer in layers {
            let first = self.n_parameters(&before);
            if let Layer::Residual(inner) = layer {
                self.through(inner, before.clone(), depth + 1, names.clone())?;
            }
            before.push(layer.clone());
            let outputs = self.outputs(&before)?;
            // Of a residual layer, the steps within have told the parameters.
            let last = if matches!(layer, Layer::Residual(_)) { first } else { self.n_parameters(&before) };
            let parameters = self.network.parameters()[first..last].iter();
            let output_names = output_names(layer, &names, outputs.len());
            self.steps.push(Step {
                layer: layer.clone(),
                depth,
                parameters: parameters.map(|spec| (spec.clone(), self.values[spec.range()].to_vec())).collect(),
                input_names: std::mem::replace(&mut names, output_names.clone()),
                inputs: std::mem::replace(&mut inputs, outputs.clone()),
                output_names,
                outputs,
            });
        }
        Ok(names)
    }

    /// How many parameters layers have.
    fn n_parameters(&self, layers: &[Layer]) -> usize {
        // A network without parameters is none.
        Network::of(self.network.inputs(), layers.to_vec()).map_or(0, |network| network.parameters().len())
    }

    /// What comes out of the last of some layers for the row.
    fn outputs(&self, layers: &[Layer]) -> Result<Vec<f32>> {
        let inputs = self.network.inputs();
        if layers.is_empty() {
            return Ok(self.features.row(self.row).to_vec());
        }
        let (network, values) = match Network::of(inputs, layers.to_vec()) {
            Ok(network) => {
                let mut values = vec![0.0; network.length() as usize];
                for (own, spec) in network.parameters().iter().zip(self.network.parameters()) {
                    assert_eq!((own.rows, own.columns), (spec.rows, spec.columns), "{}: shape", spec.name);
                    values[own.range()].copy_from_slice(&self.values[spec.range()]);
                }
                (network, values)
            }
            // Layers that have no parameters are a network behind one that changes nothing.
            Err(_) => {
                let same = Layer::Linear { outputs: inputs, bias: false };
                let network = Network::of(inputs, [&[same], layers].concat())?;
                let mut values = vec![0.0; network.length() as usize];
                (0..inputs as usize).for_each(|column| values[column * inputs as usize + column] = 1.0);
                (network, values)
            }
        };
        let mlp = Mlp::with(self.device, network, &values)?;
        // The squared error takes outputs as they are.
        Ok(train::predict(&mlp, self.features, Loss::Mse)?.row(self.row).to_vec())
    }
}

/// What the outputs of a layer are called.
fn output_names(layer: &Layer, inputs: &[String], n: usize) -> Vec<String> {
    match layer {
        Layer::Linear { .. } => (0..n).map(|neuron| format!("neuron {neuron}")).collect(),
        Layer::Glu => (0..n).map(|gate| format!("gate {gate}")).collect(),
        Layer::Embedding { column, size, .. } => {
            let column = *column as usize;
            let vector = (0..*size).map(|place| format!("{}[{place}]", inputs[column]));
            inputs[..column].iter().cloned().chain(vector).chain(inputs[column + 1..].iter().cloned()).collect()
        }
        _ => inputs.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ClassTarget, TargetEncoding};
    use crate::model::{Input, Provenance};
    use crate::nn::layers_of;

    /// A model of two members for rows of three inputs, with weights that were drawn.
    fn model(layers: &str) -> Model {
        let network = Network::of(3, layers_of(layers).unwrap()).unwrap();
        let mut values = [network.initial(1), network.initial(2)].concat();
        // So that scales, shifts and running statistics are not those of the beginning.
        values.iter_mut().enumerate().for_each(|(place, value)| *value += 0.125 * (place % 3) as f32);
        let classes = (0..network.outputs()).map(|class| class.to_string()).collect();
        Model {
            network,
            members: 2,
            values,
            input: Input::Images,
            output: TargetEncoding::Classes(ClassTarget { name: "class".into(), classes }),
            loss: Loss::CrossEntropy,
            provenance: Provenance::default(),
        }
    }

    fn check(layers: &str, n_steps: usize) -> Vec<Step> {
        let (model, device) = (model(layers), Device::reference());
        let features = Matrix::new(2, 3, vec![1.0, 0.5, -0.25, 0.0, -0.75, 2.0]).unwrap();
        let steps = steps(&model, &device, &features, 1, 1).unwrap();
        assert_eq!(steps.len(), n_steps, "{layers}");
        assert_eq!(steps[0].inputs, [0.0, -0.75, 2.0], "{layers}");
        let last = &steps.last().unwrap().outputs;
        let values = &model.values[model.network.length() as usize..];
        let whole = Mlp::with(&device, model.network.clone(), values).unwrap();
        assert_eq!(*last, train::predict(&whole, &features, Loss::Mse).unwrap().row(1), "{layers}");
        for step in &steps {
            let shown = (step.input_names.len(), step.output_names.len());
            assert_eq!(shown, (step.inputs.len(), step.outputs.len()), "{}", step.layer);
            if !matches!(step.layer, Layer::Linear { .. }) {
                continue;
            }
            for (neuron, output) in step.outputs.iter().enumerate() {
                let bias = step.parameter(Role::Bias).map_or(0.0, |bias| bias[neuron]);
                let sum: f64 = step.terms(neuron).iter().map(|term| term.product).sum();
                let error = (sum + f64::from(bias) - f64::from(*output)).abs();
                assert!(error <= 1e-5, "{layers}, neuron {neuron}: {sum} + {bias} and {output}");
            }
        }
        steps
    }

    #[test]
    fn products_and_bias_add_up_to_what_the_device_gives() {
        let steps = check("5 relu linear(7, bias=false) tanh 2", 5);
        assert_eq!(steps[2].path(), Some("layers.1"));
        let terms = steps[0].terms(0);
        assert!(terms.is_sorted_by(|a, b| a.product.abs() >= b.product.abs()) && terms.len() == 3);
    }

    #[test]
    fn every_layer_has_its_step() {
        check("scale 6 batch_norm prelu glu layer_norm rms_norm dropout(0.5) softmax 2", 10);
        // Without a parameter before it, and with categories.
        check("relu dropout(0.5) 2", 3);
        let steps = check("embedding(0, 4, 2) 5 relu 2", 4);
        assert_eq!(steps[0].output_names, ["input 0[0]", "input 0[1]", "input 1", "input 2"]);
    }

    #[test]
    fn a_residual_layer_adds_what_is_within() {
        let steps = check("4 residual(5 relu residual(5 gelu 5) 4) batch_norm 2", 11);
        let [inner, sum] = &steps[7..9] else { panic!("the last layer within, and the sum") };
        assert_eq!((inner.depth, sum.depth), (1, 0));
        assert!(matches!(sum.layer, Layer::Residual(_)) && sum.parameters.is_empty());
        assert_eq!(sum.inputs, steps[0].outputs);
        for ((x, within), y) in sum.inputs.iter().zip(&inner.outputs).zip(&sum.outputs) {
            assert!((x + within - y).abs() <= 1e-6, "{x} + {within} and {y}");
        }
    }

    #[test]
    fn members_and_rows_that_are_not_there_are_refused() {
        let (model, device) = (model("2"), Device::reference());
        let features = Matrix::new(1, 3, vec![0.0; 3]).unwrap();
        let message = |row, member| steps(&model, &device, &features, row, member).unwrap_err().to_string();
        assert_eq!(message(0, 2), "member: found 3, expected 1 to 2");
        assert_eq!(message(1, 0), "row: found 2, expected 1 to 1");
    }
}
