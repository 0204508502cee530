//! No reader panics, hangs, or takes more memory than its file justifies, whatever the bytes: 10,000 damaged files for each
//! form, the same in every run, and the hand-made ones of `fuzz/damaged`. The readers are driven by the fuzz targets' code.
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "../../fuzz/src/targets.rs"]
mod targets;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use ssl_tests::mutate::{Dice, mutate};
use ssl_tests::root;
use targets::{TARGETS, Target};

/// Damaged files of each form; the variable SSL_TEST_MUTATIONS asks for another number.
const MUTATIONS: u64 = 10_000;
/// Nothing here takes a second; a machine that is busy may.
const PATIENCE: Duration = Duration::from_secs(60);
/// What any file may take: buffers of the readers, the embedded class lists.
const FREE: usize = 1 << 18;
/// Bytes of memory for each byte of a file: a value of a pickle takes 32 bytes and stands for two, and a megabyte of zeros
/// is deflated to a kilobyte.
const FOR_A_BYTE: usize = 64;

/// Counts what a thread holds, and the most it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends has nobody left to ask.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: everything is passed on to the system's allocator; counting touches plain cells only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller promises of `layout` what the system's allocator asks for, a size that is not 0.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller promises that `pointer` came from `alloc` with this `layout`, and so from the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that `work` held at once, beyond what was held before.
fn most_held(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    work();
    (MOST.get() - before).max(0) as usize
}

fn files(kind: &str, target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = root().join("fuzz").join(kind).join(target);
    let read = |path: PathBuf| {
        let name = path
            .file_name()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        (name, std::fs::read(&path).expect("a readable file"))
    };
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries
        .map(|entry| read(entry.expect("a readable folder").path()))
        .collect()
}

/// Feeds a reader damaged copies of its seeds in a thread that is watched.
fn survive(name: &'static str, target: Target) {
    let asked = std::env::var("SSL_TEST_MUTATIONS")
        .ok()
        .and_then(|n| n.parse().ok());
    let mutations: u64 = asked.unwrap_or(MUTATIONS);
    let (progress, seen) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let seeds: Vec<Vec<u8>> = files("seeds", name).into_values().collect();
        let (mut refused, mut worst) = (0, 0.0f64);
        for number in 0..mutations {
            let mut dice = Dice::new(number);
            let (seed, other) = (
                &seeds[dice.below(seeds.len())],
                &seeds[dice.below(seeds.len())],
            );
            let bytes = mutate(seed, other, &mut dice);
            let mut taken = Ok(());
            let held = most_held(|| taken = target(&bytes));
            let allowed = FREE + FOR_A_BYTE * bytes.len();
            assert!(
                held <= allowed,
                "{name}, mutation {number}: {held} bytes for a file of {}",
                bytes.len()
            );
            worst = worst.max(held as f64 / allowed as f64);
            if let Err(message) = taken {
                assert!(!message.is_empty());
                refused += 1;
            }
            if number % 100 == 0 {
                let _ = progress.send(number);
            }
        }
        (refused, worst)
    });
    let mut last = 0;
    loop {
        match seen.recv_timeout(PATIENCE) {
            Ok(number) => last = number,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("{name}: no end of a mutation from {last} on within {PATIENCE:?}")
            }
        }
    }
    let (refused, worst) = worker
        .join()
        .unwrap_or_else(|e| std::panic::resume_unwind(e));
    eprintln!("{name}: {refused} of {mutations} refused, at most {worst:.2} of the memory allowed");
    resident(name);
    assert!(
        refused * 10 > mutations,
        "the damage is too small to be seen"
    );
    assert!(
        refused < mutations,
        "the damage is so large that nothing but the first check is tried"
    );
}

/// What the HDF5 library, written in C, takes is not counted above; the most the process ever held in memory is.
fn resident(name: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most = most.and_then(|most| most.trim().strip_suffix("kB")?.trim().parse::<usize>().ok());
    match most {
        Some(most) => assert!(most < 100_000, "{name}: the process took {most} kB"),
        None => eprintln!("{name}: this system doesn't say what a process takes"),
    }
}

macro_rules! survives {
    ($($name:ident),+) => {$(
        #[test]
        fn $name() {
            let name = stringify!($name);
            let found = TARGETS.iter().find(|(known, _)| *known == name);
            survive(name, found.expect("a target of this name").1);
        }
    )+};
}

survives!(
    pickle, ntu, npz, npy, jsonl, estimates, cache, layout, datasets
);

#[test]
fn whole_files_are_taken() {
    for (name, target) in TARGETS {
        for (file, bytes) in files("seeds", name) {
            assert_eq!(target(&bytes), Ok(()), "{name}/{file}");
        }
    }
}

/// The rows of the table in fuzz/README.md: file, what is wrong, words of the refusal.
fn described() -> BTreeMap<String, String> {
    let path: &Path = &root().join("fuzz/README.md");
    let text = std::fs::read_to_string(path).expect("fuzz/README.md");
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let unquoted = |cell: &str| Some(cell.strip_prefix('`')?.strip_suffix('`')?.to_owned());
        match cells[..] {
            ["", file, what, words, ""] if !what.is_empty() => {
                Some((unquoted(file)?, unquoted(words)?))
            }
            _ => None,
        }
    });
    rows.collect()
}

#[test]
fn hand_made_damage_is_refused_for_its_reason() {
    let (mut described, mut wrong) = (described(), Vec::new());
    for (name, target) in TARGETS {
        for (file, bytes) in files("damaged", name) {
            let file = format!("{name}/{file}");
            let mut taken = Ok(());
            let held = most_held(|| taken = target(&bytes));
            assert!(
                held <= FREE + FOR_A_BYTE * bytes.len(),
                "{file}: {held} bytes"
            );
            match (described.remove(&file), taken) {
                (_, Ok(())) => wrong.push(format!("{file} is taken")),
                (None, Err(message)) => wrong.push(format!("{file} has no row: {message}")),
                (Some(words), Err(message)) if !message.contains(&words) => {
                    wrong.push(format!("{file} should say {words:?}: {message}"));
                }
                _ => {}
            }
        }
    }
    wrong.extend(
        described
            .keys()
            .map(|file| format!("{file} has a row, but no file")),
    );
    assert!(wrong.is_empty(), "fuzz/README.md:\n{}", wrong.join("\n"));
}
