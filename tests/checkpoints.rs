//! A training that goes on from a checkpoint is the one that never stopped; a damaged file is never taken for one.

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use common::devices;
use common::members::{bits, classes, members, network, numbers, timeless, ways};
use nngpu::data::Dataset;
use nngpu::nn::Initial;
use nngpu::train::{
    Checkpoint, Ended, Event, FittedMembers, Member, MembersTrainer, Saving, Schedule, Settings, Stopping,
};
use nngpu::{Device, Error, Network, Optimizer};
use serde_json::json;

fn go_on(_: &Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn trainer<'a>(device: &Device, data: &'a Dataset, members: &[Member], settings: &Settings) -> MembersTrainer<'a> {
    MembersTrainer::new(device, &network(data), &Initial::default(), data, members, settings).expect("settings")
}

/// Everything of two trainings but their times.
#[track_caller]
fn expect_same(found: &FittedMembers, expected: &FittedMembers, what: &str) {
    assert_eq!(timeless(&found.epochs), timeless(&expected.epochs), "{what}");
    assert_eq!(bits(&found.values), bits(&expected.values), "{what}");
    assert_eq!((&found.best_epochs, found.ended), (&expected.best_epochs, expected.ended), "{what}");
}

/// Through the bytes of a file.
fn written_and_read(checkpoint: &Checkpoint) -> Checkpoint {
    let read = Checkpoint::from_bytes(&checkpoint.to_bytes()).expect("just written");
    assert!(read == *checkpoint, "{:?}", read.epochs());
    read
}

#[test]
fn a_training_that_is_resumed_gives_the_same_bytes() {
    for (name, device) in devices() {
        // One member alone, and several at once.
        for (data, kind, n_members) in [(numbers(), "numbers", 1), (classes(), "classes", 3)] {
            let members = members()[..n_members].to_vec();
            for (way, settings) in ways() {
                let expected = trainer(&device, &data, &members, &settings).fit(None, &mut go_on).expect("trains");
                for after in 0..=expected.epochs.len() {
                    let what = format!("{name}, {kind}, {way}, after {after}");
                    let mut first = trainer(&device, &data, &members, &settings);
                    for _ in 0..after {
                        first.epoch(&mut go_on).expect("trains").expect("an epoch");
                    }
                    let checkpoint = written_and_read(&first.checkpoint(json!({"rows": 60})).expect("readable"));
                    assert_eq!((checkpoint.n_epochs(), &checkpoint.context), (after, &json!({"rows": 60})));
                    let mut second = trainer(&device, &data, &members, &settings);
                    second.resume(&checkpoint).expect("the same training");
                    let found = second.fit(None, &mut go_on).expect("trains");
                    expect_same(&found, &expected, &what);
                    assert!(found.elapsed >= checkpoint.elapsed(), "{what}");
                    // Making it has changed nothing.
                    expect_same(&first.fit(None, &mut go_on).expect("trains"), &expected, &what);
                }
            }
        }
    }
}

#[test]
fn an_epoch_that_was_broken_off_is_done_again() {
    let (data, members) = (numbers(), members());
    for (name, device) in devices() {
        for (way, settings) in ways() {
            // Such a training may end early; these epochs there are in all.
            let settings = Settings { batch_size: 4, ..settings };
            let expected = trainer(&device, &data, &members, &settings).fit(None, &mut go_on).expect("trains");
            for broken in 1..=3 {
                let mut checkpoints = Vec::new();
                let mut saving = Saving {
                    every: Duration::MAX,
                    context: json!(null),
                    save: Box::new(|checkpoint: &Checkpoint| {
                        checkpoints.push(written_and_read(checkpoint));
                        Ok(())
                    }),
                };
                let mut n_batches = 0;
                let mut observe = |event: &Event| match event {
                    Event::Batches { epoch, done, total } if *epoch == broken => {
                        (n_batches, _) = (*done, total);
                        if *done > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    }
                    _ => ControlFlow::Continue(()),
                };
                let mut first = trainer(&device, &data, &members, &settings);
                let interrupted = first.fit(Some(&mut saving), &mut observe).expect("trains");
                drop(saving);
                let what = format!("{name}, {way}, in epoch {broken}, batch {n_batches}");
                assert_eq!((interrupted.ended, interrupted.epochs.len()), (Ended::Interrupted, broken - 1), "{what}");
                assert_eq!(checkpoints.len(), 1, "{what}");
                assert_eq!(checkpoints[0].n_epochs(), broken - 1, "{what}");
                let mut second = trainer(&device, &data, &members, &settings);
                second.resume(&checkpoints[0]).expect("the same training");
                expect_same(&second.fit(None, &mut go_on).expect("trains"), &expected, &what);
            }
        }
    }
}

#[test]
fn a_training_can_be_prolonged() {
    let (data, members) = (numbers(), members());
    let settings = |epochs| Settings {
        optimizer: Optimizer::adam(0.02),
        epochs,
        stopping: Some(Stopping { patience: usize::MAX, min_delta: 0.0 }),
        ..Settings::default()
    };
    for (name, device) in devices() {
        let expected = trainer(&device, &data, &members, &settings(5)).fit(None, &mut go_on).expect("trains");
        let mut first = trainer(&device, &data, &members, &settings(2));
        assert_eq!(first.fit(None, &mut go_on).expect("trains").ended, Ended::Epochs);
        let checkpoint = written_and_read(&first.checkpoint(json!(null)).expect("readable"));
        let mut second = trainer(&device, &data, &members, &settings(5));
        second.resume(&checkpoint).expect("more epochs");
        expect_same(&second.fit(None, &mut go_on).expect("trains"), &expected, name);
        // One that had ended has ended.
        let mut third = trainer(&device, &data, &members, &settings(2));
        third.resume(&checkpoint).expect("the same training");
        assert_eq!(third.ended(), Some(Ended::Epochs));
        assert_eq!(third.epoch(&mut go_on).expect("nothing to do"), None);
        // Its time is over as well, where that is less than it took.
        let mut fourth =
            trainer(&device, &data, &members, &Settings { max_time: Some(checkpoint.elapsed()), ..settings(5) });
        fourth.resume(&checkpoint).expect("the same training");
        assert_eq!(fourth.ended(), Some(Ended::Time));
    }
}

#[test]
fn another_training_is_not_resumed() {
    let (data, members, device) = (numbers(), members(), Device::reference());
    let settings = Settings { optimizer: Optimizer::adam(0.02), epochs: 2, ..Settings::default() };
    let mut first = trainer(&device, &data, &members, &settings);
    first.epoch(&mut go_on).expect("trains");
    let checkpoint = first.checkpoint(json!(null)).expect("readable");
    let refused = |network: &Network, members: &[Member], settings: &Settings| {
        let mut other =
            MembersTrainer::new(&device, network, &Initial::default(), &data, members, settings).expect("settings");
        let before = other.values().expect("readable");
        let message = other.resume(&checkpoint).expect_err("another training").to_string();
        assert_eq!(other.values().expect("readable"), before, "nothing changed: {message}");
        let advice = ", expected what this training was begun with; use the same data and settings, or begin anew";
        message
            .strip_prefix("checkpoint: found ")
            .and_then(|rest| rest.strip_suffix(advice))
            .expect(&message)
            .to_string()
    };
    let own = network(&data);
    let changed = |change: &dyn Fn(&mut Vec<Member>)| {
        let mut members = members.clone();
        change(&mut members);
        refused(&own, &members, &settings)
    };
    assert_eq!(changed(&|members| members.truncate(2)), "3 members instead of 2");
    assert_eq!(changed(&|members| members[1].seed = 4), format!("the seed {} of member 2 instead of 4", 1u64 << 40));
    assert_eq!(changed(&|members| members[2].train.swap(0, 1)), "other rows of member 3");
    assert_eq!(changed(&|members| members[0].validation[0] = 59), "other rows of member 1");
    let plain: Network = "3 -> 7 tanh 1".parse().expect("a network");
    assert!(refused(&plain, &members, &settings).ends_with(" instead of `3 -> 7 tanh 1`"));
    let mut frozen = own.clone();
    frozen.freeze("layers.0.bias").expect("there is one");
    assert!(refused(&frozen, &members, &settings).ends_with(r#", frozen: ["layers.0.bias"]"#));
    for other in [
        Settings { optimizer: Optimizer::adam(0.01), ..settings.clone() },
        Settings { optimizer: Optimizer::sgd(0.02), ..settings.clone() },
        Settings { batch_size: 31, ..settings.clone() },
        Settings { accumulate: 2, ..settings.clone() },
        Settings { ema: Some(0.5), ..settings.clone() },
        Settings { schedule: Some(Schedule::constant(0.02)), ..settings.clone() },
        Settings { stopping: Some(Stopping::default()), ..settings.clone() },
    ] {
        let message = refused(&own, &members, &other);
        assert!(message.starts_with("the settings Adam {") && message.contains(" instead of "), "{message}");
    }
}

#[test]
fn checkpoints_are_made_no_more_often_than_asked() {
    let (data, members, device) = (numbers(), members(), Device::cpu());
    let settings = Settings { epochs: 5, ..Settings::default() };
    for (every, expected) in [(Duration::ZERO, vec![1, 2, 3, 4, 5]), (Duration::from_secs(3600), vec![5])] {
        let mut found = Vec::new();
        let mut saving = Saving {
            every,
            context: json!(null),
            save: Box::new(|checkpoint: &Checkpoint| {
                found.push(checkpoint.n_epochs());
                Ok(())
            }),
        };
        trainer(&device, &data, &members, &settings).fit(Some(&mut saving), &mut go_on).expect("trains");
        drop(saving);
        assert_eq!(found, expected);
    }
    // What becomes of it when it cannot be saved is told.
    let missing = Path::new("/no/such/folder/checkpoint");
    let mut saving = Saving::to_file(missing, Duration::ZERO, json!(null));
    let error = trainer(&device, &data, &members, &settings).fit(Some(&mut saving), &mut go_on).expect_err("no folder");
    assert!(matches!(error, Error::WriteFile { .. }), "{error}");
}

/// Two checkpoints, one epoch apart.
fn two() -> [Checkpoint; 2] {
    let (data, members, device) = (numbers(), members(), Device::reference());
    let settings = Settings { epochs: 2, stopping: Some(Stopping::default()), ..Settings::default() };
    let mut trainer = trainer(&device, &data, &members, &settings);
    [1, 2].map(|epoch| {
        trainer.epoch(&mut go_on).expect("trains");
        trainer.checkpoint(json!({ "made after": epoch })).expect("readable")
    })
}

#[test]
fn a_damaged_file_gives_way_to_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.checkpoint");
    let previous = Checkpoint::previous_path(&path);
    assert_eq!(previous.file_name().expect("a name"), "run.checkpoint.previous");
    let missing = Checkpoint::load(&path).expect_err("nothing there").to_string();
    assert!(missing.ends_with("run.checkpoint: no such file; check the name and the directory"), "{missing}");

    let [first, second] = two();
    first.save(&path).expect("written");
    assert!(!previous.exists());
    second.save(&path).expect("written");
    let loaded = Checkpoint::load(&path).expect("whole");
    assert!(loaded.checkpoint == second && loaded.note.is_none());
    assert!(Checkpoint::load(&previous).expect("whole").checkpoint == first);
    let names: Vec<_> = std::fs::read_dir(&folder).expect("a folder").map(|e| e.expect("a file").file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");

    let whole = std::fs::read(&path).expect("readable");
    let falls_back = |problem: &str| {
        let loaded = Checkpoint::load(&path).expect("the one before");
        assert!(loaded.checkpoint == first);
        let note = loaded.note.expect("a word");
        assert!(note.contains(problem), "{note}");
        assert!(note.contains("; goes on from the checkpoint before it, ") && note.ends_with(".previous"), "{note}");
    };
    for length in [0, 1, 11, 12, 15, 16, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).expect("written");
        falls_back("cut short");
    }
    std::fs::write(&path, b"x,y\n1,2\n").expect("written");
    falls_back("found another kind of file, expected a checkpoint");
    std::fs::remove_file(&path).expect("removed");
    falls_back("no such file");

    // A damaged one is not kept in the place of a whole one.
    std::fs::write(&path, &whole[..99]).expect("written");
    second.save(&path).expect("written");
    assert!(Checkpoint::load(&previous).expect("whole").checkpoint == first);
    assert!(Checkpoint::load(&path).expect("whole").checkpoint == second);

    // Without another one, or with a damaged one.
    std::fs::write(&path, &whole[..99]).expect("written");
    std::fs::write(&previous, &whole[..98]).expect("written");
    let both = Checkpoint::load(&path).expect_err("both are damaged").to_string();
    assert!(both.contains("neither it nor the checkpoint before it can be used: "), "{both}");
    assert_eq!(both.matches("cut short").count(), 2, "{both}");
    assert!(both.ends_with("; begin the training anew"), "{both}");
    std::fs::remove_file(&previous).expect("removed");
    let alone = Checkpoint::load(&path).expect_err("it is damaged").to_string();
    assert!(alone.contains("cut short, and there is no `") && alone.ends_with("begin the training anew"), "{alone}");
    // What cannot be read is an error of its own.
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("a folder");
    assert!(matches!(Checkpoint::load(&path), Err(Error::IsDirectory { .. })));
    assert!(second.save(&path).is_err());
}

#[test]
fn every_changed_byte_is_noticed() {
    let [_, checkpoint] = two();
    let bytes = checkpoint.to_bytes();
    assert!(Checkpoint::from_bytes(&bytes).as_ref() == Ok(&checkpoint));
    assert_eq!(checkpoint.to_bytes(), bytes, "the same bytes each time");
    for place in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut damaged = bytes.clone();
            damaged[place] ^= bit;
            assert!(Checkpoint::from_bytes(&damaged).is_err(), "byte {place} of {}", bytes.len());
        }
    }
    for length in 0..bytes.len() {
        assert!(Checkpoint::from_bytes(&bytes[..length]).is_err(), "{length} bytes of {}", bytes.len());
    }
    assert!(Checkpoint::from_bytes(&[bytes.clone(), vec![0]].concat()).is_err(), "a byte more");
}

#[test]
fn a_file_that_was_made_up_is_refused() {
    // With a checksum that fits, so that what is within is looked at.
    let [_, checkpoint] = two();
    let bytes = checkpoint.to_bytes();
    let (data, members, device) = (numbers(), members(), Device::reference());
    let settings = Settings { epochs: 2, stopping: Some(Stopping::default()), ..Settings::default() };
    let rewritten = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len(), "lengths stand in the header");
        let mut bytes = bytes.clone();
        let found = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
        bytes[found..found + from.len()].copy_from_slice(to.as_bytes());
        let checksum = crc32(&bytes[16..]).to_le_bytes();
        bytes[12..16].copy_from_slice(&checksum);
        Checkpoint::from_bytes(&bytes).and_then(|checkpoint| {
            let mut trainer = trainer(&device, &data, &members, &settings);
            trainer.resume(&checkpoint).map_err(|error| error.to_string())
        })
    };
    assert_eq!(rewritten("parameters", "parameters"), Ok(()));
    for (from, to, problem) in [
        (r#"\"version\":1"#, r#"\"version\":2"#, "found version 2 of checkpoints, expected 1"),
        (r#"\"context\""#, r#"\"contexx\""#, "found a checkpoint of another form"),
        (r#"\"epoch\":2,\"losses"#, r#"\"epoch\":7,\"losses"#, "epoch 7 in the place of epoch 2"),
        (r#"\"is_out\":[false,false,false]"#, r#"\"is_out\":[false,false      ]"#, "lists of 2 members instead of 3"),
        (r#"[\"parameters\""#, r#"[\"parameterz\""#, "found `parameterz` of"),
        ("nngpu-checkpoint", "nngpu-checkpoinz", "its description is missing"),
        ("\"state.0\"", "\"stale.0\"", "found a checkpoint of another form"),
        ("\"dtype\":\"U32\"", "\"dtype\":\"F32\"", "found a checkpoint of another form"),
    ] {
        let message = rewritten(from, to).expect_err(from);
        assert!(message.contains(problem), "{from}: {message}");
    }
}

/// CRC-32 as zlib computes it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}
