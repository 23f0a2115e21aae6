//! The matrix product, in the three arrangements that a dense layer needs, with what follows it.

use super::activation::{Activation, BASIC, leaky_relu, leaky_relu_slope, relu, relu_slope, sigmoid_slope, tanh_slope};
use super::{ELEMENTARY, NAN, VIEW, elements, vectorised};
use crate::compute::kernel::{Args, Binding, Capabilities, Form, Kernel, Params, View, params, params_of};
use crate::compute::plan::{Plan, Tensor};
use crate::formula::functions::sigmoid;
use crate::{Error, Result};

params! {
    Matmul {
        a: View, b: View, extra: View, c: View, sums: View,
        rows: u32, columns: u32, depth: u32, epilogue: u32, kind: u32, alpha: f32,
    } invocations: rows columns
}

/// `c[i, j] = finish(sum over k of a[i, k] * b[k, j])`.
pub static MATMUL: Kernel = Kernel {
    name: "matmul",
    params: Matmul::FIELDS,
    bindings: &[Binding::read("a"), Binding::read("b"), Binding::read("extra"), Binding::write("c")],
    twin: matmul,
    fast: Some(matmul_fast),
    forms: &[
        Form {
            name: "subgroup",
            wgsl: &[include_str!("../../shaders/matmul_subgroup.wgsl"), VIEW, BASIC, ELEMENTARY, NAN, EPILOGUE],
            constants: &[],
            workgroup: [8, 1, 1],
            workgroup_bytes: 0,
            groups: |words| tiles(words, 16, 64),
            suits: suits_subgroups,
        },
        Form {
            name: "tiled 64",
            wgsl: TILED,
            constants: &[("SIDE", 16.0)],
            workgroup: [16, 16, 1],
            workgroup_bytes: 2 * 64 * 16 * 4,
            groups: |words| tiles(words, 64, 64),
            // A smaller tile gives more workgroups: these many keep a large GPU busy.
            suits: |words, capabilities| {
                let has_room = capabilities.max_invocations >= 256 && capabilities.max_workgroup_bytes >= 8192;
                has_room && suits_tiles(words, capabilities) && tiles(words, 64, 64) >= 128
            },
        },
        Form {
            name: "tiled 32",
            wgsl: TILED,
            constants: &[("SIDE", 8.0)],
            workgroup: [8, 8, 1],
            workgroup_bytes: 2 * 32 * 16 * 4,
            groups: |words| tiles(words, 32, 32),
            suits: suits_tiles,
        },
        Form::plain::<Matmul>(&[include_str!("../../shaders/matmul.wgsl"), VIEW, BASIC, ELEMENTARY, NAN, EPILOGUE]),
    ],
};

const EPILOGUE: &str = include_str!("../../shaders/shared/epilogue.wgsl");
const TILED: &[&str] = &[include_str!("../../shaders/matmul_tiled.wgsl"), VIEW, BASIC, ELEMENTARY, NAN, EPILOGUE];

/// What the product does with an element before it stores it; `NOTHING`, … in the shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Epilogue {
    Nothing = 0,
    BiasAndActivation = 1,
    Derivative = 2,
    RowSums = 3,
}

fn tiles(words: &[u32], tile_rows: u32, tile_columns: u32) -> u64 {
    let p = params_of::<Matmul>(words);
    u64::from(p.rows.div_ceil(tile_rows)) * u64::from(p.columns.div_ceil(tile_columns))
}

/// Broadcasts beat workgroup memory where barriers are dear: on software adapters.
fn suits_subgroups(words: &[u32], capabilities: &Capabilities) -> bool {
    let p = params_of::<Matmul>(words);
    capabilities.is_software && capabilities.subgroup_size == Some(8) && p.rows >= 4 && p.columns >= 4
}

/// Tiles pay where each loaded element serves several sums; on software adapters they never do.
fn suits_tiles(words: &[u32], capabilities: &Capabilities) -> bool {
    let p = params_of::<Matmul>(words);
    !capabilities.is_software && p.rows >= 8 && p.columns >= 8 && p.depth >= 8
}

/// Records `c = a b`; `a` is `[rows, depth]`, `b` is `[depth, columns]`, `c` is `[rows, columns]`.
///
/// Transposed views give the other arrangements.
pub fn record_matmul(plan: &mut Plan, a: Tensor, b: Tensor, c: Tensor) -> Result<()> {
    // An operand must be bound in the place of `extra`; nothing of it is used.
    let unused = a.part(0, 1, 1).broadcast("matmul", c.rows, c.columns)?;
    record(plan, Epilogue::Nothing, Activation::Identity, a, b, unused, c, None)
}

/// Records a whole layer: `y = f(x weightᵀ + bias)`.
///
/// `x` is `[batch, inputs]`, `weight` is `[outputs, inputs]`, `bias` is `[1, outputs]`, `y` is
/// `[batch, outputs]`. Where [`Activation::slope_of`] is the input, record the sums with
/// [`Activation::Identity`] and the activation apart: its backward pass needs them.
///
/// # Errors
///
/// Shapes that do not go together, a parameter of the activation outside of its range, and an
/// activation that is not [`Activation::is_fusable`].
pub fn record_dense(
    plan: &mut Plan,
    activation: Activation,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    y: Tensor,
) -> Result<()> {
    bias.expect("dense layer", "bias", 1, weight.rows)?;
    let repeated = bias.broadcast("dense layer", y.rows, y.columns)?;
    expect_fusable("dense layer", activation)?;
    record(plan, Epilogue::BiasAndActivation, activation, x, weight.transposed(), repeated, y, None)
}

/// Records the gradient before a layer's activation from that of the next layer:
/// `dz = (dy weight) * f'(z)`, the slope told from `source`, which is this layer's output `y = f(z)` or
/// its sum `z`, as [`Activation::slope_of`] says.
///
/// `dy` is `[batch, outputs]`, `weight` is `[outputs, inputs]`, `source` and `dz` are
/// `[batch, inputs]`.
///
/// # Errors
///
/// Shapes that do not go together, a parameter of the activation outside of its range, and an
/// activation that is not [`Activation::is_fusable`].
pub fn record_dense_backward(
    plan: &mut Plan,
    activation: Activation,
    dy: Tensor,
    weight: Tensor,
    source: Tensor,
    dz: Tensor,
) -> Result<()> {
    source.expect("dense layer's gradient", "source", dz.rows, dz.columns)?;
    expect_fusable("dense layer's gradient", activation)?;
    record(plan, Epilogue::Derivative, activation, dy, weight, source, dz, None)
}

/// Records a layer's own gradients: `dweight = dzᵀ x` and `dbias = ` the column sums of `dz`.
///
/// `dz` is `[batch, outputs]`, `x` is `[batch, inputs]`, `dweight` is `[outputs, inputs]` and
/// `dbias` is `[1, outputs]`, both in one buffer.
pub fn record_dense_gradient(plan: &mut Plan, dz: Tensor, x: Tensor, dweight: Tensor, dbias: Tensor) -> Result<()> {
    let operation = "dense layer's gradient";
    dbias.expect(operation, "dbias", 1, dz.columns)?;
    // It is no operand of its own, so the plan does not check it.
    plan.expect_within(|| format!("{operation}, `dbias`"), &dbias)?;
    let refuse = |found, expected| Err(Error::Shape { operation: operation.into(), found, expected });
    if dbias.buffer != dweight.buffer {
        let [found, expected] = [dbias, dweight].map(|tensor| &plan.spec(tensor.buffer).label);
        return refuse(format!("dbias in `{found}`"), format!("it in dweight's buffer, `{expected}`"));
    }
    if dbias.models != dweight.models {
        return refuse(format!("dbias of {} models", dbias.models), format!("{}, as dweight has", dweight.models));
    }
    let unused = dz.part(0, 1, 1).broadcast("matmul", dweight.rows, dweight.columns)?;
    let nothing = Activation::Identity;
    record(plan, Epilogue::RowSums, nothing, dz.transposed(), x, unused, dweight, Some(dbias.transposed()))
}

/// A product applies the activations that its text holds.
fn expect_fusable(operation: &str, activation: Activation) -> Result<()> {
    activation.check()?;
    if activation.is_fusable() {
        return Ok(());
    }
    let fusable = Activation::ALL.into_iter().filter(|activation| activation.is_fusable());
    Err(Error::Setting {
        name: format!("{operation}'s activation"),
        found: format!("`{activation}`"),
        expected: format!(
            "one of {}; record others apart",
            fusable.map(Activation::name).collect::<Vec<_>>().join(", ")
        ),
    })
}

#[allow(clippy::too_many_arguments, reason = "the operands of one kernel, named at each call above")]
fn record(
    plan: &mut Plan,
    epilogue: Epilogue,
    activation: Activation,
    a: Tensor,
    b: Tensor,
    extra: Tensor,
    c: Tensor,
    sums: Option<Tensor>,
) -> Result<()> {
    if a.columns != b.rows {
        return Err(Error::Shape {
            operation: "matmul".into(),
            found: format!("{} times {}", a.shape(), b.shape()),
            expected: "as many columns on the left as rows on the right".into(),
        });
    }
    if a.columns == 0 {
        return Err(Error::Shape {
            operation: "matmul".into(),
            found: format!("{} times {}", a.shape(), b.shape()),
            expected: "at least one column on the left".into(),
        });
    }
    c.expect("matmul", "result", a.rows, b.columns)?;
    let models = Plan::models("matmul", &[a, b, extra, c])?;
    let (kind, alpha, _) = activation.words();
    let params = Matmul {
        a: a.view(models),
        b: b.view(models),
        extra: extra.view(models),
        c: c.view(models),
        sums: sums.map_or(View::default(), |sums| sums.view(models)),
        rows: c.rows,
        columns: c.columns,
        depth: a.columns,
        epilogue: epilogue as u32,
        kind,
        alpha,
    };
    plan.push(&MATMUL, params, &[a, b, extra, c], models)
}

fn matmul(args: &mut Args) {
    let p = args.params::<Matmul>();
    let (a, b, extra): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let c: &mut [f32] = args.write(3);
    for (model, i, j) in elements(args.models, p.rows, p.columns) {
        let (mut sum, mut row_sum) = (0.0f32, 0.0);
        for k in 0..p.depth {
            let left = a[p.a.at(model, i, k)];
            sum = left.mul_add(b[p.b.at(model, k, j)], sum);
            row_sum += left;
        }
        c[p.c.at(model, i, j)] = p.finish(sum, extra[p.extra.at(model, i, j)]);
        if p.epilogue == Epilogue::RowSums as u32 && j == 0 {
            c[p.sums.at(model, i, 0)] = row_sum;
        }
    }
}

impl Matmul {
    #[inline]
    fn finish(&self, sum: f32, extra: f32) -> f32 {
        let activation = Activation::of(self.kind, self.alpha, 0.0);
        if self.epilogue == Epilogue::BiasAndActivation as u32 {
            activation.value(sum + extra)
        } else if self.epilogue == Epilogue::Derivative as u32 {
            sum * activation.derivative(extra)
        } else {
            sum
        }
    }
}

/// Products of fewer multiplications than this are computed by the twin: a call of the packed
/// product costs about as much as a thousand of them.
const SMALL_PRODUCT: u64 = 1024;

/// Products of fewer multiplications than this are computed by one thread: in a step with little
/// else to share, waking another one takes longer than it saves.
const SHARED_PRODUCT: u64 = 1 << 24;

fn matmul_fast(args: &mut Args) {
    let p = args.params::<Matmul>();
    let multiplications = u64::from(p.rows) * u64::from(p.columns) * u64::from(p.depth);
    if multiplications < SMALL_PRODUCT || p.c.column != 1 {
        matmul(args)
    } else {
        let threads = if multiplications < SHARED_PRODUCT { 1 } else { args.threads };
        matmul_packed(args, threads)
    }
}

/// The product by a packed gemm with the CPU's widest vectors, then what follows it, row by row.
#[inline(never)]
fn matmul_packed(args: &mut Args, threads: usize) {
    let p = args.params::<Matmul>();
    let (a, b, extra): (&[f32], &[f32], &[f32]) = (args.read(0), args.read(1), args.read(2));
    let c: &mut [f32] = args.write(3);
    for model in 0..args.models {
        let [va, vb, vextra, vc] = [p.a, p.b, p.extra, p.c].map(|view| view.of_model(model));
        product(p, (a, va), (b, vb), (c, vc), threads);
        if p.epilogue == Epilogue::BiasAndActivation as u32 || p.epilogue == Epilogue::Derivative as u32 {
            vectorised!(finish_rows(p, (c, vc), (extra, vextra)));
        } else if p.epilogue == Epilogue::RowSums as u32 {
            vectorised!(sum_rows(p, (a, va), (c, p.sums.of_model(model))));
        }
    }
}

/// `c = a b` for one model. The order of each sum depends on the shape alone, not on `threads`.
fn product(p: &Matmul, (a, va): (&[f32], View), (b, vb): (&[f32], View), (c, vc): (&mut [f32], View), threads: usize) {
    let end = |view: View, rows: u32, columns: u32| view.at(0, rows - 1, columns - 1) + 1;
    assert!(end(va, p.rows, p.depth) <= a.len(), "matmul: a ends beyond its buffer");
    assert!(end(vb, p.depth, p.columns) <= b.len(), "matmul: b ends beyond its buffer");
    assert!(end(vc, p.rows, p.columns) <= c.len(), "matmul: c ends beyond its buffer");
    let parallelism = if threads == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(threads) };
    // SAFETY: the three assertions above bound every element that these strides reach, and `c` is
    // borrowed mutably.
    #[allow(unsafe_code, reason = "the gemm crate takes pointers with strides")]
    unsafe {
        gemm::gemm(
            p.rows as usize,
            p.columns as usize,
            p.depth as usize,
            c.as_mut_ptr().add(vc.offset as usize),
            vc.column as isize,
            vc.row as isize,
            false,
            a.as_ptr().add(va.offset as usize),
            va.column as isize,
            va.row as isize,
            b.as_ptr().add(vb.offset as usize),
            vb.column as isize,
            vb.row as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// What follows the product, row by row.
#[inline(always)]
fn finish_rows(p: &Matmul, (c, vc): (&mut [f32], View), (extra, vextra): (&[f32], View)) {
    for i in 0..p.rows {
        let row = &mut c[vc.at(0, i, 0)..][..p.columns as usize];
        finish_row(p, row, extra, View { offset: vextra.at(0, i, 0) as u32, ..vextra });
    }
}

/// Adds the bias and activates, or multiplies by the slope. The activation is told apart outside
/// of the loop, so that the loop of each becomes vector code.
#[inline(always)]
fn finish_row(p: &Matmul, row: &mut [f32], extra: &[f32], view: View) {
    fn each(row: &mut [f32], extra: &[f32], finish: impl Fn(f32, f32) -> f32) {
        for (sum, extra) in row.iter_mut().zip(extra) {
            *sum = finish(*sum, *extra);
        }
    }
    if view.column != 1 {
        for (sum, j) in row.iter_mut().zip(0..) {
            *sum = p.finish(*sum, extra[view.at(0, 0, j)]);
        }
        return;
    }
    let extra = &extra[view.offset as usize..][..row.len()];
    let activation = Activation::of(p.kind, p.alpha, 0.0);
    if p.epilogue == Epilogue::Derivative as u32 {
        match activation {
            Activation::Identity => {}
            Activation::Relu => each(row, extra, |sum, y| sum * relu_slope(y)),
            Activation::Sigmoid => each(row, extra, |sum, y| sum * sigmoid_slope(y)),
            Activation::Tanh => each(row, extra, |sum, y| sum * tanh_slope(y)),
            Activation::LeakyRelu { slope } => each(row, extra, |sum, y| sum * leaky_relu_slope(slope, y)),
            other => unreachable!("a product with {other}"),
        }
    } else {
        match activation {
            Activation::Identity => each(row, extra, |sum, bias| sum + bias),
            Activation::Relu => each(row, extra, |sum, bias| relu(sum + bias)),
            Activation::Sigmoid => each(row, extra, |sum, bias| sigmoid(sum + bias)),
            Activation::Tanh => each(row, extra, |sum, bias| (sum + bias).tanh()),
            Activation::LeakyRelu { slope } => each(row, extra, |sum, bias| leaky_relu(slope, sum + bias)),
            other => unreachable!("a product with {other}"),
        }
    }
}

/// `sums[i] = sum over k of a[i, k]`, each in the order of k.
#[inline(always)]
fn sum_rows(p: &Matmul, (a, va): (&[f32], View), (c, sums): (&mut [f32], View)) {
    let is_contiguous = va.row == 1 && sums.row == 1;
    if !is_contiguous {
        for i in 0..p.rows {
            c[sums.at(0, i, 0)] = (0..p.depth).fold(0.0, |sum, k| sum + a[va.at(0, i, k)]);
        }
        return;
    }
    let totals = &mut c[sums.offset as usize..][..p.rows as usize];
    totals.fill(0.0);
    for k in 0..p.depth {
        for (total, value) in totals.iter_mut().zip(&a[va.at(0, 0, k)..]) {
            *total += value;
        }
    }
}
