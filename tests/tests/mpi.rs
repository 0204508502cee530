//! Several processes that an MPI launcher starts leave the bytes of one, whatever becomes of them.
//!
//! `cargo xtask mpi` builds the program with each MPI that is here and runs these tests; `SSL_OPENMPI` and `SSL_MPICH` name
//! the programs. Where neither is set, the tests say that they are skipped.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ssl_tests::program::{Desk, Finished};
use ssl_tests::random::Random;

/// An MPI and the program that was built with it.
struct Mpi {
    launcher: &'static str,
    flags: &'static [&'static str],
    program: PathBuf,
}

/// The MPIs that the program was built with.
fn each(test: impl Fn(&Mpi)) {
    let known: [(&str, &str, &[&str]); 2] = [
        (
            "SSL_OPENMPI",
            "mpirun.openmpi",
            &[
                "--allow-run-as-root",
                "--oversubscribe",
                "--bind-to",
                "none",
            ],
        ),
        ("SSL_MPICH", "mpirun.mpich", &[]),
    ];
    let mut tested = 0;
    for (variable, launcher, flags) in known {
        let Some(program) = std::env::var_os(variable) else {
            eprintln!("skipped: {variable} names no program (cargo xtask mpi)");
            continue;
        };
        tested += 1;
        test(&Mpi {
            launcher,
            flags,
            program: program.into(),
        });
    }
    let asked = std::env::var_os("SSL_OPENMPI").or(std::env::var_os("SSL_MPICH"));
    assert!(asked.is_none() || tested > 0);
}

/// No test here takes longer; what does hangs.
const LONGEST: Duration = Duration::from_secs(180);

/// A job that was started, and the mark by which its processes are found.
struct Job {
    child: std::process::Child,
    line: String,
    mark: String,
    program: PathBuf,
}

impl Mpi {
    /// `ssl` as `ranks` processes; `script` may change what a rank does before `"$@"`, by its number `$RANK`.
    fn start(&self, desk: &Desk, ranks: usize, script: &str, typed: &str) -> Job {
        static JOBS: AtomicUsize = AtomicUsize::new(0);
        let number = JOBS.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{number}", std::process::id());
        let mut command = Command::new(self.launcher);
        command.args(self.flags).args(["-n", &ranks.to_string()]);
        let script = format!("RANK=${{OMPI_COMM_WORLD_RANK:-$PMI_RANK}}; {script} exec \"$@\"");
        command.args(["sh", "-c", &script, "sh"]);
        command.arg(&self.program).args(typed.split_whitespace());
        command
            .current_dir(desk.path(""))
            .env("SSL_TEST_MARK", &mark)
            .env_remove("SSL_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn();
        Job {
            child: child.unwrap_or_else(|e| panic!("{}: {e}", self.launcher)),
            line: format!("{} -n {ranks} ssl {typed}", self.launcher),
            mark,
            program: self.program.clone(),
        }
    }

    fn run(&self, desk: &Desk, ranks: usize, typed: &str) -> Finished {
        self.start(desk, ranks, "", typed).finished()
    }
}

impl Job {
    /// The ranks' process numbers.
    fn ranks(&self) -> Vec<u32> {
        let program = fs::canonicalize(&self.program).expect("the program under test");
        let is_ours = |pid: &u32| {
            let of = Path::new("/proc").join(pid.to_string());
            let mark = format!("SSL_TEST_MARK={}", self.mark);
            let marked = fs::read(of.join("environ"))
                .is_ok_and(|all| all.split(|b| *b == 0).any(|one| one == mark.as_bytes()));
            marked && fs::read_link(of.join("exe")).is_ok_and(|exe| exe == program)
        };
        let processes = fs::read_dir("/proc").expect("Linux has it").flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut ranks: Vec<u32> = numbers.filter(is_ours).collect();
        ranks.sort_unstable();
        ranks
    }

    /// Sends all ranks, or one, a signal.
    fn signal(&self, name: &str, to: &[u32]) {
        let numbers = to.iter().map(u32::to_string);
        let kill = Command::new("kill").arg(name).args(numbers).output();
        kill.expect("a system with kill");
    }

    /// Waits for the end, which must come and leave no process behind.
    fn finished(mut self) -> Finished {
        let started = Instant::now();
        // The pipes must be read meanwhile, or a job that says much would wait for ever.
        let stdout = reader(self.child.stdout.take().expect("a pipe"));
        let stderr = reader(self.child.stderr.take().expect("a pipe"));
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                break status;
            }
            if started.elapsed() > LONGEST {
                self.signal("-KILL", &self.ranks());
                let _ = self.child.kill();
                panic!("{} hangs", self.line);
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let ended = Instant::now();
        while !self.ranks().is_empty() {
            assert!(
                ended.elapsed() < Duration::from_secs(20),
                "{}: a rank is left",
                self.line
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Finished {
            line: self.line.clone(),
            code: status.code(),
            stdout: stdout.join().expect("a reader"),
            stderr: stderr.join().expect("a reader"),
        }
    }
}

fn reader(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Steps of 44 clips have nine micro-batches of 4 or 5.
const SMALL: &str =
    "--preset quick --data s.h5 --seed 3 --threads 1 --set reading.frames=8 --set model.width=16";
const PRETRAIN: &str = "--split train --val val --set pretrain.epochs=2 --set pretrain.batch=44 --set pretrain.micro_batch=5 --set pretrain.guard.clip_norm=1.0";
const FINETUNE: &str = "--train train --holdout 0.2 --test val --set finetune.epochs=2 --set finetune.batch=44 --set finetune.micro_batch=5";

fn pretrain(more: &str) -> String {
    format!("pretrain {SMALL} {PRETRAIN} {more}")
}

fn finetune(more: &str) -> String {
    format!("finetune {SMALL} {FINETUNE} {more}")
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.ssl("prepare --dataset synthetic -o s.h5").success();
    desk
}

/// All that a training leaves but what tells of the clock and the machine.
#[track_caller]
fn same(desk: &Desk, one: &str, other: &str) {
    let mut compared = 0;
    let mut names: Vec<String> = names(&desk.path(one));
    names.extend(names_in(&desk.path(one), "resume"));
    for name in names {
        if ["timings.jsonl", "run.json", "config.toml", "lock"].contains(&&name[..]) {
            continue;
        }
        let (ours, theirs) = (
            desk.read(&format!("{one}/{name}")),
            desk.read(&format!("{other}/{name}")),
        );
        assert!(ours == theirs, "{name} of {one} and of {other} differ");
        compared += 1;
    }
    assert!(compared >= 5, "{compared} files of {one}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a run folder").flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    files
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .collect()
}

fn names_in(folder: &Path, under: &str) -> Vec<String> {
    let names = names(&folder.join(under)).into_iter();
    names.map(|name| format!("{under}/{name}")).collect()
}

/// With 1, 2, 3, 4 ranks, and with more than a step has micro-batches.
#[test]
fn any_number_of_ranks_leaves_the_same_bytes() {
    each(|mpi| {
        let desk = desk();
        desk.ssl(&pretrain("--out p0")).success();
        desk.ssl(&finetune("--encoder p0 --out f0")).success();
        for n in [1, 2, 3, 4, 10] {
            let ran = mpi
                .run(&desk, n, &pretrain(&format!("--out p{n}")))
                .success();
            same(&desk, "p0", &format!("p{n}"));
            let idle = ran.stderr.contains("1 rank of 10 idle");
            assert_eq!(idle, n == 10, "{ran}");
            // Rank 0 alone prints.
            assert_eq!(ran.stdout.matches("checkpoint: ").count(), 1, "{ran}");
            assert_eq!(ran.stderr.matches("epoch 2/2: ").count(), 1, "{ran}");
            let typed = finetune(&format!("--encoder p0 --out f{n}"));
            mpi.run(&desk, n, &typed).success();
            same(&desk, "f0", &format!("f{n}"));
        }
    });
}

/// What is measured over ranks is written and printed as by one process.
#[test]
fn evaluation_over_ranks_gives_the_same_output() {
    each(|mpi| {
        let desk = desk();
        let short = "--set pretrain.epochs=1 --set finetune.epochs=1";
        desk.ssl(&pretrain(&format!("{short} --out p"))).success();
        desk.ssl(&finetune(&format!("{short} --encoder p --out f")))
            .success();
        let commands = [
            "evaluate f --data s.h5 --split val --batch 7 --threads 1 --json --scores OUT",
            "probe --encoder p --data s.h5 --train train --test val --batch 7 --threads 1 --json --out OUT",
            "represent p --data s.h5 --split val --batch 7 --threads 1 --out OUT",
            "represent f --data s.h5 --split val --batch 7 --threads 1 --out OUT",
            "predict f --data s.h5 --split val --batch 7 --threads 1 --json",
        ];
        for (at, typed) in commands.into_iter().enumerate() {
            let of = |n: usize| {
                let out = format!("{at}-{n}.jsonl");
                let line = typed.replace("OUT", &out);
                let ran = match n {
                    0 => desk.ssl(&line),
                    n => mpi.run(&desk, n, &line),
                };
                let said = ran.success().stdout.replace(&out, "OUT");
                let written = typed.contains("OUT").then(|| desk.read(&out));
                (said, written)
            };
            let alone = of(0);
            assert!(!alone.0.is_empty());
            for n in [1, 3, 12] {
                assert!(of(n) == alone, "{typed} by {n} ranks");
            }
        }
    });
}

/// What ranks don't share rank 0 does, once.
#[test]
fn other_commands_are_done_once() {
    each(|mpi| {
        let desk = desk();
        let typed = "doctor s.h5 --json";
        let alone = desk.ssl(typed).success();
        assert_eq!(mpi.run(&desk, 3, typed).success().stdout, alone.stdout);
    });
}

/// A rank that is killed ends all; the run goes on with another number of ranks, to the same bytes.
#[test]
fn ranks_that_are_killed_cost_no_byte() {
    each(|mpi| {
        let desk = desk();
        let jobs = [
            pretrain("--save-every 0 --set pretrain.epochs=3"),
            finetune("--save-every 0 --set finetune.epochs=3"),
        ];
        let mut random = Random(0x5EED);
        let (mut kills, mut runs) = (0, 0);
        let whole: Vec<Duration> = jobs
            .iter()
            .enumerate()
            .map(|(job, typed)| {
                let started = Instant::now();
                mpi.run(&desk, 2, &format!("{typed} --out whole{job}"))
                    .success();
                started.elapsed()
            })
            .collect();
        while kills < KILLS {
            let (job, ranks) = (runs % jobs.len(), 2 + random.below(3));
            let out = format!("run{runs}");
            let typed = format!("{} --out {out} --resume", jobs[job]);
            let running = mpi.start(&desk, ranks, "", &typed);
            std::thread::sleep(whole[job].mul_f64(0.1 + 0.6 * random.share()));
            let found = running.ranks();
            if let Some(&rank) = found.get(random.below(found.len().max(1))) {
                running.signal("-KILL", &[rank]);
            }
            let ended = running.finished();
            if ended.code == Some(0) {
                same(&desk, &format!("whole{job}"), &out);
                runs += 1;
            } else {
                kills += 1;
            }
        }
        let (job, out) = (runs % jobs.len(), format!("run{runs}"));
        let last = mpi.run(
            &desk,
            1 + random.below(4),
            &format!("{} --out {out} --resume", jobs[job]),
        );
        last.success();
        same(&desk, &format!("whole{job}"), &out);
        println!(
            "{}: {kills} ranks killed in {} runs",
            mpi.launcher,
            runs + 1
        );
    });
}

const KILLS: usize = 20;

/// SIGTERM, as batch systems send it to all ranks: the step ends, the run is saved, all exit with 143.
#[test]
fn a_signal_saves_and_ends_all() {
    each(|mpi| {
        let desk = desk();
        let typed = pretrain("--set pretrain.epochs=3");
        desk.ssl(&format!("{typed} --out whole")).success();
        // To one rank, and to all of them.
        for (out, all) in [("one", false), ("all", true)] {
            let running = mpi.start(&desk, 3, "", &format!("{typed} --out {out}"));
            let begun = Instant::now();
            while !desk.path(&format!("{out}/model.safetensors")).exists() {
                assert!(begun.elapsed() < LONGEST, "no epoch ends");
                std::thread::sleep(Duration::from_millis(5));
            }
            let ranks = running.ranks();
            let to = if all { &ranks[..] } else { &ranks[2..] };
            running.signal("-TERM", to);
            let ended = running.finished();
            assert_eq!(ended.code, Some(143), "{ended}");
            assert_eq!(
                ended.stderr.matches("stopped: (SIGTERM)").count(),
                1,
                "{ended}"
            );
            desk.ssl(&format!("{typed} --out {out} --resume")).success();
            same(&desk, "whole", out);
        }
    });
}

/// Ranks that would give other bits are refused by their host, and one that fails ends all with its own words.
#[test]
fn a_rank_that_differs_is_refused_and_one_that_fails_says_why() {
    each(|mpi| {
        let desk = desk();
        for rank in 0..2 {
            fs::create_dir(desk.path(&format!("r{rank}"))).expect("a folder");
            fs::copy(desk.path("s.h5"), desk.path(&format!("r{rank}/s.h5"))).expect("a copy");
        }
        let other_program = desk.path("other");
        fs::copy(&mpi.program, &other_program).expect("a copy");
        let mut bytes = fs::read(&other_program).expect("a copy");
        bytes.push(0);
        fs::write(&other_program, bytes).expect("a copy");
        let typed = pretrain("--out ../run");
        let refused = |script: &str, typed: &str, parts: &[&str]| {
            let ended = mpi.start(&desk, 2, script, typed).finished();
            assert_eq!(ended.code, Some(1), "{ended}");
            let error = ended
                .stderr
                .lines()
                .filter(|line| line.starts_with("error:"));
            let error: Vec<&str> = error.collect();
            assert_eq!(error.len(), 1, "one error: {ended}");
            assert!(parts.iter().all(|part| error[0].contains(part)), "{ended}");
        };
        let other = "if [ $RANK = 1 ]; then shift; set -- ../other \"$@\"; fi; cd r$RANK;";
        refused(
            other,
            &typed,
            &["rank 1 on", "another program than rank 0 on"],
        );
        let definitions = "if [ $RANK = 1 ]; then export SSL_REFERENCE=1; fi; cd r$RANK;";
        refused(
            definitions,
            &typed,
            &["rank 1 on", "another instruction set", "definitions"],
        );
        let seed = "if [ $RANK = 1 ]; then set -- \"$@\" --seed 4; fi; cd r$RANK;";
        refused(
            seed,
            &pretrain("--out ../run"),
            &["rank 1 on", "another command line"],
        );
        // A clip that is damaged on one rank's disk alone.
        let mut cache = desk.read("r1/s.h5");
        let middle = cache.len() / 2;
        cache[middle] ^= 0x40;
        desk.write("r1/s.h5", cache);
        refused("cd r$RANK;", &typed, &["rank 1 on", "checksum"]);
        desk.ssl("prepare --dataset synthetic --seed 5 -o r1/s.h5 --overwrite")
            .success();
        refused(
            "cd r$RANK;",
            &pretrain("--out ../other_run"),
            &["rank 1 on", "another data"],
        );
        fs::remove_file(desk.path("r1/s.h5")).expect("the copy");
        refused(
            "cd r$RANK;",
            &pretrain("--out ../other_run"),
            &["rank 1 on", "s.h5"],
        );
    });
}
