//! What devices refuse, and how they say it: never by a panic.

mod common;

use std::collections::BTreeSet;

use common::small_device;
use nngpu::compute::{Capabilities, Gpu, Plan, adapters};
use nngpu::doctor::{Extent, Finding, examine};
use nngpu::kernels::array::record_copy;
use nngpu::{Activation, Array, Device, Error, Loss, Mlp, Sgd, wgpu};

/// A plan that copies `length` floats.
fn copying(length: u32) -> (Plan, [nngpu::compute::Tensor; 2]) {
    let mut plan = Plan::new();
    let (x, y) = (plan.tensor("x", 1, 1, length), plan.tensor("y", 1, 1, length));
    record_copy(&mut plan, x, y).expect("equal shapes");
    (plan, [x, y])
}

fn open_gpu() -> Option<(Gpu, Device)> {
    // Opened anew: some of these tests destroy it.
    common::gpu().map(|gpu| (gpu.clone(), Device::Gpu(gpu)))
}

#[test]
fn an_application_s_device_is_shared() {
    let Some((raw, device)) = small_device(1 << 20) else { return };
    assert_eq!(device.max_length(), 1 << 18);
    let mlp = Mlp::new(&device, &[3, 5, 2], Activation::Tanh, 7).expect("a network");
    let on_cpu = Mlp::new(&Device::reference(), &[3, 5, 2], Activation::Tanh, 7).expect("a network");
    let forward = |mlp: &Mlp| -> nngpu::Result<Vec<f32>> {
        mlp.forward(&Array::new(mlp.device(), [1, 3], &[0.5, -1.25, 3.0])?)?.to_vec()
    };
    let (found, expected) = (forward(&mlp).expect("runs"), forward(&on_cpu).expect("runs"));
    for (found, expected) in found.iter().zip(&expected) {
        // Two sums of up to five products of numbers near 1, and a tanh of 2^-20 or better.
        approx::assert_abs_diff_eq!(*found, *expected, epsilon = 1e-5);
    }
    // The application goes on working with it, and may take it away.
    raw.poll(wgpu::PollType::wait_indefinitely()).expect("still there");
    raw.destroy();
    let array = Array::new(&device, [1, 1], &[1.0]).and_then(|array| array.add(&array)?.to_vec());
    assert!(matches!(array, Err(Error::DeviceLost { .. } | Error::Driver { .. })), "{array:?}");
    assert!(mlp.values().is_err());
    assert!(forward(&mlp).is_err());
}

#[test]
fn a_buffer_over_the_limit_is_refused_with_the_numbers() {
    let Some((_, device)) = small_device(4096) else { return };
    assert!(device.allocate("fits", 1024).is_ok());
    match device.allocate("too long", 1025) {
        Err(Error::BufferTooLarge { label, bytes: 4100, limit: 4096, limit_name, .. }) => {
            assert_eq!((label.as_str(), limit_name), ("too long", "maxStorageBufferBindingSize"));
        }
        other => panic!("{other:?}"),
    }
    let (plan, _) = copying(1025);
    let error = device.compile(&plan, &[]).expect_err("a buffer of the plan is too large");
    let message = error.to_string();
    assert!(message.starts_with("buffer `x` needs 4100 bytes, but `"), "{message}");
    assert!(message.contains("` allows 4096 (maxStorageBufferBindingSize); use a smaller batch"), "{message}");
    // The device goes on working.
    let array = Array::new(&device, [1, 2], &[1.0, 2.0]).expect("small");
    assert_eq!(array.sum().and_then(|sum| sum.item()).expect("runs"), 3.0);
}

/// Whichever of two limits is the smaller one is named.
#[test]
fn a_buffer_over_the_largest_buffer_is_refused_by_that_name() {
    let Some((_, device)) = common::shared_device(|limits| limits.max_buffer_size = 4096) else { return };
    assert_eq!(device.max_length(), 1024);
    let message = device.allocate("too long", 1025).expect_err("a word too many").to_string();
    assert!(message.starts_with("buffer `too long` needs 4100 bytes, but `"), "{message}");
    assert!(message.contains("` allows 4096 (maxBufferSize); use a smaller batch"), "{message}");
}

/// What an adapter says to copying a tensor, after some of its limits were lowered.
fn refusal(lower: impl FnOnce(&mut wgpu::Limits), models: u32, columns: u32) -> Option<String> {
    let (_, device) = common::shared_device(lower)?;
    let mut plan = Plan::new();
    let (x, y) = (plan.tensor("x", models, 1, columns), plan.tensor("y", models, 1, columns));
    record_copy(&mut plan, x, y).expect("equal shapes");
    let message = device.compile(&plan, &[]).expect_err("over a limit").to_string();
    // The device goes on working where the limit allows anything at all.
    drop(device.allocate("small", 4).expect("a buffer"));
    Some(message)
}

#[track_caller]
fn check_refusal(message: Option<String>, needs: &str, allows: &str) {
    let Some(message) = message else { return };
    assert!(message.starts_with(&format!("{needs}, but `")), "{message}");
    assert!(message.ends_with(&format!("` allows {allows}")), "{message}");
}

#[test]
fn more_workgroups_than_a_grid_holds_are_refused_with_the_limit() {
    check_refusal(
        refusal(|limits| limits.max_compute_workgroups_per_dimension = 4, 1, 16 * 64 + 1),
        "`copy` needs 17 workgroups",
        "16 (the square of maxComputeWorkgroupsPerDimension); use a smaller batch or network, or another device",
    );
}

#[test]
fn more_models_than_a_grid_holds_are_refused_with_the_limit() {
    check_refusal(
        refusal(|limits| limits.max_compute_workgroups_per_dimension = 4, 5, 1),
        "`copy` needs 5 models",
        "4 (maxComputeWorkgroupsPerDimension); use fewer models, or another device",
    );
    // No adapter has more than WebGPU guarantees here, so that a plan already refuses them.
    let mut plan = Plan::new();
    let (x, y) = (plan.tensor("x", 65_536, 1, 1), plan.tensor("y", 65_536, 1, 1));
    let message = record_copy(&mut plan, x, y).expect_err("a model too many").to_string();
    assert!(message.contains("expected one number of models from 1 to 65535"), "{message}");
}

#[test]
fn a_form_beyond_the_adapter_is_refused_with_the_limit() {
    let advice = "open the device with WebGPU's default limits, or use another";
    check_refusal(
        refusal(|limits| limits.max_compute_invocations_per_workgroup = 32, 1, 1),
        "`copy`, plain, needs 64 invocations in a workgroup",
        &format!("32 (maxComputeInvocationsPerWorkgroup); {advice}"),
    );
    check_refusal(
        refusal(|limits| limits.max_compute_workgroup_size_x = 63, 1, 1),
        "`copy`, plain, needs 64 invocations along x",
        &format!("63 (maxComputeWorkgroupSizeX); {advice}"),
    );
    check_refusal(
        refusal(|limits| limits.max_storage_buffers_per_shader_stage = 1, 1, 1),
        "`copy`, plain, needs 2 storage buffers",
        &format!("1 (maxStorageBuffersPerShaderStage); {advice}"),
    );
    let lower = |limits: &mut wgpu::Limits| limits.max_compute_workgroup_storage_size = 64;
    let Some((_, device)) = common::shared_device(lower) else { return };
    let array = Array::new(&device, [1, 3], &[1.0, 2.0, 3.0]).expect("small");
    check_refusal(
        Some(array.sum().expect_err("a sum shares words").to_string()),
        "`sum`, plain, needs 256 bytes of workgroup memory",
        &format!("64 (maxComputeWorkgroupStorageSize); {advice}"),
    );
}

/// A smaller workgroup than the widest form's is no error: the next form runs.
#[test]
fn products_run_in_the_widest_form_that_the_limits_allow() {
    let product = |lower: fn(&mut wgpu::Limits)| {
        let (_, device) = common::shared_device(lower)?;
        let Device::Gpu(gpu) = &device else { unreachable!("a GPU") };
        let as_gpu = Capabilities { is_software: false, ..gpu.capabilities() };
        let device = Device::Gpu(gpu.with_capabilities(as_gpu));
        // 16 by 8 tiles of 64 by 64.
        let (a, b) = (vec![0.5; 1024 * 8], vec![0.25; 8 * 512]);
        let (a, b) = (Array::new(&device, [1024, 8], &a), Array::new(&device, [8, 512], &b));
        Some(a.and_then(|a| a.matmul(&b?)?.to_vec()).expect("it runs"))
    };
    let lowered: [fn(&mut wgpu::Limits); 2] = [
        |limits| limits.max_compute_invocations_per_workgroup = 64,
        |limits| limits.max_compute_workgroup_storage_size = 4096,
    ];
    for lower in lowered {
        let Some(product) = product(lower) else { return };
        assert!(product.iter().all(|value| *value == 1.0));
    }
}

/// What `NNGPU_TEST_LIMITS=webgpu` promises.
#[test]
fn lowered_limits_are_those_that_webgpu_guarantees() {
    if !common::has_webgpu_limits() {
        return;
    }
    let Some((gpu, device)) = open_gpu() else { return };
    let capabilities = gpu.capabilities();
    assert_eq!(capabilities.subgroup_size, None);
    assert_eq!((capabilities.max_invocations, capabilities.max_workgroup_bytes), (256, 16 * 1024));
    assert_eq!(device.max_length(), (128 << 20) / 4);
}

#[test]
fn the_adapter_s_own_limit_holds() {
    let Some((_, device)) = open_gpu() else { return };
    let too_long = device.max_length() + 1;
    match device.allocate("too long", too_long) {
        Err(Error::BufferTooLarge { bytes, limit, .. }) => {
            assert_eq!(bytes, too_long as u64 * 4);
            assert!(limit < bytes, "{limit}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_foreign_buffer_is_refused_everywhere() {
    let mut owners = common::devices();
    owners.extend(open_gpu().map(|(_, device)| ("another gpu", device)));
    let is_gpu = |device: &Device| matches!(device, Device::Gpu(_));
    for (i, (own_name, own)) in owners.iter().enumerate() {
        for (j, (other_name, other)) in owners.iter().enumerate() {
            // Buffers of the CPU and of the reference are both in main memory.
            if i == j || (!is_gpu(own) && !is_gpu(other)) {
                continue;
            }
            let buffer = other.allocate("stranger", 4).expect("four words");
            let (plan, [x, _]) = copying(4);
            let program = other.compile(&plan, &[(x.buffer, &buffer)]).expect("its own buffer");
            let expect = |what: &str, result: nngpu::Result<()>| match result {
                Err(Error::ForeignDevice { label }) => label,
                found => panic!("{own_name} takes {what} of {other_name}: {found:?}"),
            };
            assert_eq!(expect("a write", own.write(&buffer, 0, &[1.0f32])), "stranger");
            assert_eq!(expect("a read", own.read::<f32>(&buffer).map(drop)), "stranger");
            assert_eq!(expect("a plan", own.compile(&plan, &[(x.buffer, &buffer)]).map(drop)), "stranger");
            assert_eq!(expect("a run", own.run(&program, 1)), "program");

            let arrays = [own, other].map(|device| Array::new(device, [1, 1], &[1.0]).expect("one value"));
            expect("a sum", arrays[0].add(&arrays[1]).map(drop));
        }
    }
}

#[test]
fn a_wrong_length_is_refused() {
    for (name, device) in common::devices() {
        let buffer = device.allocate("short", 3).expect("three words");
        let refused = |result: nngpu::Result<()>| result.expect_err(name).to_string();
        let message = refused(device.write(&buffer, 1, &[1.0f32; 3]));
        assert_eq!(message, "buffer `short` holds 3 elements; found elements 1 to 4", "{name}");
        let (plan, [x, _]) = copying(4);
        let message = refused(device.compile(&plan, &[(x.buffer, &buffer)]).map(drop));
        assert_eq!(message, "buffer `x`: found 3 elements, expected 4", "{name}");
        assert_eq!(device.read::<f32>(&buffer).expect("unharmed"), [0.0; 3], "{name}");
        let message = refused(Array::new(&device, [2, 3], &[1.0; 5]).map(drop));
        let expected = "array: found 5 values for [2, 3], expected rows times columns values, fewer than 2^32";
        assert_eq!(message, expected, "{name}");
    }
}

#[test]
fn an_empty_buffer_is_a_buffer() {
    for (name, device) in common::devices() {
        let buffer = device.allocate("empty", 0).expect("nothing");
        assert!(buffer.is_empty(), "{name}");
        device.write::<f32>(&buffer, 0, &[]).expect("nothing to write");
        assert!(device.write(&buffer, 0, &[1.0f32]).is_err(), "{name}");
        assert!(device.read::<f32>(&buffer).expect("nothing to read").is_empty(), "{name}");
    }
}

#[test]
fn a_lost_device_is_an_error_of_every_call() {
    let Some((gpu, device)) = open_gpu() else { return };
    let (plan, [x, _]) = copying(4);
    let buffer = device.allocate("x", 4).expect("four words");
    let program = device.compile(&plan, &[(x.buffer, &buffer)]).expect("compiles");
    let array = Array::new(&device, [1, 1], &[1.0]).expect("one value");
    let mut mlp = Mlp::new(&device, &[1, 1], Activation::Relu, 0).expect("a network");
    let (_, gradients) = mlp.value_and_grad(&array, &array, Loss::Mse).expect("still there");
    gpu.destroy();
    let check = |what: &str, result: nngpu::Result<()>| match result {
        Err(Error::DeviceLost { adapter, reason }) => assert!(!adapter.is_empty() && !reason.is_empty(), "{what}"),
        other => panic!("{what} on a lost device: {other:?}"),
    };
    // The driver tells of the loss when it is next asked.
    check("wait", device.wait());
    check("allocate", device.allocate("more", 4).map(drop));
    check("write", device.write(&buffer, 0, &[1.0f32]));
    check("read", device.read::<f32>(&buffer).map(drop));
    check("compile", device.compile(&plan, &[]).map(drop));
    check("run", device.run(&program, 3));
    check("add", array.add(&array).map(drop));
    check("forward", mlp.forward(&array).map(drop));
    check("update", Sgd::new(0.1).expect("a setting").update(&mut mlp, &gradients));
}

#[test]
fn a_loss_is_told_by_the_first_call_after_it() {
    type Call = fn(&Device, &nngpu::compute::Buffer, &nngpu::compute::Program) -> nngpu::Result<()>;
    let calls: [(&str, Call); 4] = [
        ("run", |device, _, program| device.run(program, 2).and_then(|()| device.wait())),
        ("read", |device, buffer, _| device.read::<f32>(buffer).map(drop)),
        ("write", |device, buffer, _| device.write(buffer, 0, &[1.0f32]).and_then(|()| device.wait())),
        // WebGPU gives a buffer even then; its first use tells.
        ("allocate", |device, _, _| {
            let more = device.allocate("more", 4)?;
            device.read::<f32>(&more).map(drop)
        }),
    ];
    for (name, call) in calls {
        let Some((gpu, device)) = open_gpu() else { return };
        let (plan, [x, _]) = copying(4);
        let buffer = device.allocate("x", 4).expect("four words");
        let program = device.compile(&plan, &[(x.buffer, &buffer)]).expect("compiles");
        gpu.destroy();
        let result = call(&device, &buffer, &program);
        let is_told = matches!(result, Err(Error::DeviceLost { .. } | Error::Driver { .. }));
        assert!(is_told, "{name} just after the loss: {result:?}");
    }
}

#[test]
fn an_adapter_that_is_not_there_lists_those_that_are() {
    let found = adapters();
    for wanted in ["voodoo", "99", "vulkan:voodoo"] {
        let error = Device::open(wanted).expect_err("no such adapter");
        let message = error.to_string();
        assert!(message.starts_with(&format!("no GPU adapter matches `{wanted}`; found ")), "{message}");
        assert!(message.contains("`nngpu devices` lists them, and `--device cpu` works without one"), "{message}");
        for (index, adapter) in found.iter().enumerate() {
            assert!(message.contains(&format!("{index}: {} (", adapter.name)), "{message}");
        }
        let Error::NoAdapter { found: listed, .. } = error else { panic!("{error:?}") };
        assert_eq!(listed.len(), found.len());
    }
}

#[test]
fn an_adapter_is_opened_by_index_name_and_backend() {
    for (index, adapter) in adapters().into_iter().enumerate() {
        let by_index = Device::open(&index.to_string()).expect("by its index");
        assert_eq!(by_index.adapter().expect("a GPU"), adapter);
        assert!(by_index.description().starts_with(&adapter.name), "{}", by_index.description());
        let by_name = Device::open(&format!("{}:{}", adapter.backend, adapter.name)).expect("by its name");
        assert!(by_name.description().starts_with(&adapter.name), "{}", by_name.description());
        assert!(adapter.limits.max_binding_bytes >= 128 << 20, "WebGPU guarantees 128 MiB: {adapter:?}");
    }
}

#[test]
fn no_threads_are_refused() {
    let error = Device::cpu_with_threads(0).expect_err("no threads");
    assert_eq!(error.to_string(), "found 0 threads, expected at least 1");
}

/// Few cases of each, but none of the forms that a training on this adapter takes is left out.
#[test]
fn a_brief_examination_takes_every_form_of_the_adapter() {
    let Some((gpu, device)) = open_gpu() else { return };
    let as_gpu = gpu.with_capabilities(Capabilities { is_software: false, ..gpu.capabilities() });
    for device in [device, Device::Gpu(as_gpu)] {
        let [whole, brief] = [Extent::Whole, Extent::Brief].map(|extent| {
            let findings = examine(&device, extent, &mut |_| {});
            assert!(findings.iter().all(|finding| finding.is_right()), "{findings:?}");
            findings
        });
        let forms = |findings: &[Finding]| -> Vec<_> {
            let own = findings.iter().filter(|finding| finding.is_own);
            own.map(|finding| (finding.name, finding.form)).collect::<BTreeSet<_>>().into_iter().collect()
        };
        assert_eq!(forms(&brief), forms(&whole));
        let n_cases = |findings: &[Finding]| findings.iter().map(|finding| finding.n_cases).sum::<usize>();
        assert!(n_cases(&brief) < n_cases(&whole));
        assert!(brief.iter().all(|finding| finding.is_own));
        // Those of other classes as well.
        let products: BTreeSet<_> = whole.iter().filter(|f| f.name == "matmul").map(|f| f.form).collect();
        assert!(products.is_superset(&["tiled 64", "tiled 32", "plain"].into()), "{products:?}");
    }
}

#[test]
fn an_examination_of_a_lost_device_finds_every_kernel_wrong() {
    let Some((gpu, device)) = open_gpu() else { return };
    gpu.destroy();
    let mut n_told = 0;
    let findings = examine(&device, Extent::Whole, &mut |_| n_told += 1);
    assert_eq!(findings.len(), n_told);
    for finding in findings {
        assert!(!finding.is_right() && finding.worst == f32::INFINITY, "{finding:?}");
        assert!(finding.failures[0].contains("was lost"), "{finding:?}");
    }
}
