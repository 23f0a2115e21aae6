//! After construction a step on the CPU allocates nothing. Alone in its file, because it replaces the
//! allocator by one that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use nngpu::compute::Plan;
use nngpu::kernels::loss::record_loss;
use nngpu::kernels::optimizer::{OptimizerState, Part, record_update_in_parts};
use nngpu::nn::{Fusion, Network};
use nngpu::{Activation, Device, Loss, Optimizer};

struct Counting;

thread_local! {
    /// Of one thread: the one that runs the tests allocates when it likes.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
#[allow(unsafe_code, reason = "the trait is unsafe; nothing but counting is added")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends has no counter any more.
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// Steps of two runs that differ in nothing else.
const FEW: usize = 10;
const MANY: usize = 300;

/// Allocations of a few and of many training steps.
fn allocations(device: &Device, sizes: &[usize], batch: u32, fusion: Fusion) -> [usize; 2] {
    allocations_of(Optimizer::adam(0.001), device, sizes, batch, fusion)
}

fn allocations_of(optimizer: Optimizer, device: &Device, sizes: &[usize], batch: u32, fusion: Fusion) -> [usize; 2] {
    let network = Network::new(sizes, Activation::Relu).expect("sizes");
    let parts = network.parameters().iter();
    let parts: Vec<Part> = parts.map(Part::from).collect();
    let mut plan = Plan::new();
    let (x, y) = (plan.tensor("x", 1, batch, network.inputs()), plan.tensor("y", 1, batch, network.outputs()));
    let parameters = network.declare(&mut plan, "parameters", 1);
    let gradients = network.declare(&mut plan, "gradients", 1);
    let state = OptimizerState::declare(&mut plan, &optimizer, 1, network.length());
    let pass = network.record_training(&mut plan, fusion, None, parameters, x).expect("shapes");
    let output = pass.output();
    let losses = plan.tensor("losses", 1, batch, network.outputs());
    let gradient = plan.tensor("output gradient", 1, batch, network.outputs());
    record_loss(&mut plan, Loss::Mse, output, y, losses, gradient).expect("shapes");
    network.record_backward(&mut plan, parameters, &pass, gradient, gradients).expect("shapes");
    record_update_in_parts(&mut plan, &optimizer, &state, &parts, gradients, parameters).expect("shapes");
    let program = device.compile(&plan, &[]).expect("compiles");
    device.run(&program, 1).expect("runs");
    [FEW, MANY].map(|steps| count(|| device.run(&program, steps).expect("runs")))
}

#[test]
fn a_step_allocates_nothing() {
    assert!(count(|| drop(std::hint::black_box(vec![1u8]))) > 0, "the counter is blind");
    let reference = Device::reference();
    let cpu = Device::cpu_with_threads(1).expect("one thread");
    for name in Optimizer::NAMES {
        let optimizer = Optimizer::named(name, None).expect("a name of its own");
        for device in [&reference, &cpu] {
            let [few, many] = allocations_of(optimizer, device, &[3, 5, 2], 7, Fusion::Fused);
            assert_eq!(few, many, "{}, {name}", device.description());
        }
    }
    for fusion in [Fusion::Fused, Fusion::Plain] {
        // Products of fewer than 1,024 multiplications are the twin's on both devices.
        for (device, sizes, batch) in [(&reference, [3, 5, 2], 7), (&cpu, [3, 5, 2], 7), (&reference, [11, 13, 3], 17)]
        {
            let [few, many] = allocations(device, &sizes, batch, fusion);
            assert_eq!(few, many, "{}, {sizes:?}, {fusion:?}", device.description());
        }

        // The gemm crate packs larger products into memory of its own: once or twice in each call,
        // how often depends on the widths of the CPU's vectors and caches. Nothing else may.
        for (sizes, batch) in [([13, 64, 64, 1], 32), ([200, 128, 64, 10], 64)] {
            let [few, many] = allocations(&cpu, &sizes, batch, fusion);
            let n_products = 3 + 3 + 2;
            let per_step = (many - few) / (MANY - FEW);
            assert_eq!(
                few - FEW * per_step,
                many - MANY * per_step,
                "{sizes:?}, {fusion:?}: allocations that are not of a step"
            );
            assert!(per_step <= 2 * n_products, "{sizes:?}, {fusion:?}: {per_step} allocations a step");
        }
    }
}
