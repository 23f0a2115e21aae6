//! The conventions that `Compat` sets are those of its table.

use nngpu::kernels::loss::Reduction;
use nngpu::nn::{Init, Layer, layers_of};
use nngpu::{Compat, Loss, Optimizer};

fn optimizer(compat: Compat, name: &str) -> Optimizer {
    compat.optimizer(name, Some(0.5)).expect(name)
}

#[test]
fn optimizers_follow_each_library() {
    for (compat, corrects, before, decay) in [
        (Compat::Nngpu, true, false, 0.01),
        (Compat::Mlx, false, false, 0.01),
        (Compat::PyTorch, true, false, 0.01),
        (Compat::Keras, true, true, 0.004),
    ] {
        let found = optimizer(compat, "adamw");
        let Optimizer::Adam { learning_rate, bias_correction, epsilon_before_correction, weight_decay, .. } = found
        else {
            panic!("{compat}: {found:?}");
        };
        let found = (learning_rate, bias_correction, epsilon_before_correction, weight_decay);
        assert_eq!(found, (0.5, corrects, before, decay), "{compat}");
        let undampened = matches!(optimizer(compat, "momentum"), Optimizer::Momentum { first_undampened: true, .. });
        assert_eq!(undampened, compat == Compat::PyTorch, "{compat}");
        for name in Optimizer::NAMES {
            optimizer(compat, name).check().expect(name);
        }
        assert_eq!(compat.name().parse::<Compat>().expect("its name"), compat);
    }
    let rate = |compat: Compat, name| compat.optimizer(name, None).expect(name).learning_rate();
    assert_eq!(
        [rate(Compat::PyTorch, "sgd"), rate(Compat::Keras, "sgd"), rate(Compat::Mlx, "sgd")],
        [0.001, 0.01, 0.1]
    );
    assert!("torch".parse::<Compat>().expect_err("another name").to_string().contains("pytorch, keras"));
}

#[test]
fn reductions_and_layers_follow_each_library() {
    let cross_entropy = Compat::ALL.map(|compat| compat.reduction(Loss::CrossEntropy));
    let expected = [Reduction::Mean, Reduction::None, Reduction::WeightedMean, Reduction::Mean];
    assert_eq!(cross_entropy, expected);
    assert!(Compat::ALL.iter().all(|compat| compat.reduction(Loss::Mse) == Reduction::Mean));
    let layers = || layers_of("4 batch_norm residual(layer_norm 4) batch_norm(0.5)").expect("layers");
    assert!([Compat::Nngpu, Compat::Mlx, Compat::PyTorch].iter().all(|compat| compat.layers(layers()) == layers()));
    let keras = Compat::Keras.layers(layers());
    let norm = |epsilon| Layer::BatchNorm { epsilon, momentum: 0.01, affine: true, unbiased: false };
    assert_eq!([&keras[1], &keras[3]], [&norm(1e-3), &norm(0.5)]);
    let Layer::Residual(inner) = &keras[2] else { panic!("{keras:?}") };
    assert_eq!(inner[0], Layer::LayerNorm { epsilon: 1e-3, affine: true, bias: true });
    assert_eq!(Compat::Keras.initial().bias, Init::Constant(0.0));
}
