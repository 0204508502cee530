//! Runs, some at once, each a process with one thread. What is finished is never run again; what was stopped goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use super::job::{Folder, Job, Program};
use super::shards::{Claim, Claims};
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::process::interrupt_child;
use crate::report::count;
use crate::signal::Interrupt;

/// How often children are looked at.
const PAUSE: Duration = Duration::from_millis(20);
/// Lines of a failed run's log that are shown.
const TAIL: usize = 12;

/// What a call did.
#[derive(Debug, Default)]
pub struct Made {
    /// Runs made now.
    pub now: usize,
    /// Runs that were there.
    pub before: usize,
    /// Wall time of it.
    pub seconds: f64,
}

/// A process at work.
struct Worker<'a> {
    job: &'a Job,
    child: Child,
    started: Instant,
    /// Held as long as the process runs, so that two of us don't work on one run.
    claim: Claim,
}

/// What runs are made with.
#[derive(Clone, Copy)]
pub struct Runner<'a> {
    pub program: &'a Program,
    pub folder: &'a Folder,
    pub printer: &'a Printer,
    pub interrupt: &'a Interrupt,
    /// Processes at once.
    pub workers: usize,
    /// After how long a machine counts as gone that gives no sign of life.
    pub silence: Duration,
}

struct JobPool<'a> {
    runner: Runner<'a>,
    total: usize,
    pending: Vec<&'a Job>,
    workers: Vec<Worker<'a>>,
    claims: Claims,
    /// Whether it was said that others are waited for.
    waits: bool,
    made: Made,
    /// The first thing that went wrong.
    failed: Option<Failure>,
    /// Whether the processes were asked to stop.
    asked: bool,
}

/// Makes every one of `jobs` that isn't there, in the order in which `names` has them, each of which may come again.
pub fn run<'a>(
    jobs: &'a BTreeMap<String, Job>,
    names: impl Iterator<Item = &'a String>,
    runner: Runner<'a>,
) -> Outcome<Made> {
    runner.folder.make()?;
    let started = Instant::now();
    let is_done = |name: &String| runner.folder.done(name).is_some();
    let (mut seen, mut pending) = (BTreeSet::new(), Vec::new());
    for name in names {
        if seen.insert(name) && !is_done(name) {
            pending.extend(jobs.get(name));
        }
    }
    let total = seen.len();
    let mut pool = JobPool {
        runner,
        total,
        made: Made {
            before: total - pending.len(),
            ..Made::default()
        },
        pending,
        workers: Vec::new(),
        claims: Claims::new(runner.silence),
        waits: false,
        failed: None,
        asked: false,
    };
    pool.work()?;
    pool.made.seconds = started.elapsed().as_secs_f64();
    Ok(pool.made)
}

impl<'a> JobPool<'a> {
    fn work(&mut self) -> Outcome {
        let Runner {
            printer, interrupt, ..
        } = self.runner;
        loop {
            self.reap();
            let stopping = self.failed.is_some() || interrupt.received().is_some();
            if stopping && !self.asked {
                self.asked = true;
                let running = self.workers.len();
                if running > 0 {
                    printer.say(format!("waiting for {running} running processes to save"));
                }
                self.workers
                    .iter_mut()
                    .for_each(|worker| interrupt_child(&mut worker.child));
            }
            if !stopping && let Err(failure) = self.launch() {
                self.failed.get_or_insert(failure);
            }
            if self.workers.is_empty() && (stopping || self.pending.is_empty()) {
                break;
            }
            if self.workers.is_empty() && !self.waits {
                self.waits = true;
                let runs = count(self.pending.len(), "run");
                printer.say(format!("waiting for {runs} that other processes make"));
            }
            self.workers
                .iter_mut()
                .for_each(|worker| worker.claim.beat());
            std::thread::sleep(PAUSE);
        }
        interrupt.check(|| {
            let (left, total) = (self.pending.len(), self.total);
            format!("{left} of {total} runs are left; the same command goes on with them")
        })?;
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Looks for processes that ended. What goes wrong stops the others, who are waited for.
    fn reap(&mut self) {
        let mut at = 0;
        while at < self.workers.len() {
            let ended = match self.workers[at].child.try_wait() {
                Ok(None) => {
                    at += 1;
                    continue;
                }
                Ok(Some(status)) => {
                    let worker = self.workers.remove(at);
                    self.ended(worker, status)
                }
                Err(error) => {
                    self.workers.remove(at);
                    let message = format!("waiting for a process: {error}");
                    Err(Failure::error(message).hint("the same command goes on"))
                }
            };
            if let Err(failure) = ended {
                self.failed.get_or_insert(failure);
            }
        }
    }

    fn ended(&mut self, worker: Worker<'a>, status: ExitStatus) -> Outcome {
        let Runner {
            folder, interrupt, ..
        } = self.runner;
        let seconds = worker.started.elapsed().as_secs_f64();
        let job = worker.job;
        if status.success() {
            let done = folder.finish(job, seconds, &self.runner.program.version)?;
            worker.claim.release();
            self.made.now += 1;
            let at = self.made.now + self.made.before;
            self.runner.printer.say(format!(
                "[{at}/{}] {} ({}, {:.0} s)",
                self.total, job.title, job.name, done.seconds
            ));
            return Ok(());
        }
        folder.spend(&job.name, seconds);
        worker.claim.release();
        self.pending.insert(0, job);
        match interrupt.received() {
            None => Err(failure(folder, job, status)),
            Some(_) => Ok(()),
        }
    }

    /// Starts what can be started.
    fn launch(&mut self) -> Outcome {
        let folder = self.runner.folder;
        let mut at = 0;
        while self.workers.len() < self.runner.workers && at < self.pending.len() {
            let job = self.pending[at];
            let after = job.after.as_ref();
            let waits = after.is_some_and(|name| folder.done(name).is_none());
            let claim = match waits || folder.in_use(&job.name) {
                true => None,
                false => {
                    let path = folder.beside(&job.name, "lock");
                    self.claims.take(&path, self.runner.printer)?
                }
            };
            let Some(claim) = claim else {
                at += 1;
                continue;
            };
            self.pending.remove(at);
            // Another process of ours may have made it meanwhile.
            if folder.done(&job.name).is_some() {
                claim.release();
                self.made.before += 1;
                continue;
            }
            self.workers.push(Worker {
                job,
                child: start(&self.runner, job)?,
                started: Instant::now(),
                claim,
            });
        }
        Ok(())
    }
}

/// Why a run ended without success: the end of what it said.
fn failure(folder: &Folder, job: &Job, status: ExitStatus) -> Failure {
    let log = folder.beside(&job.name, "log");
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n  ");
    let (title, shown) = (&job.title, &job.shown);
    Failure::error(format!("{title} failed ({status}): {shown}\n  {tail}")).hint(format!(
        "{} is all of it; the same command goes on",
        log.display()
    ))
}

fn start(runner: &Runner<'_>, job: &Job) -> Outcome<Child> {
    let log = runner.folder.beside(&job.name, "log");
    let out = File::create(&log).map_err(Failure::io(&log))?;
    let mut command = runner.folder.command(job, runner.program)?;
    command
        .stdout(out.try_clone().map_err(Failure::io(&log))?)
        .stderr(out);
    // A group of its own: Ctrl-C reaches us alone, and we ask the process once.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
        .spawn()
        .map_err(|error| Failure::error(format!("cannot start {}: {error}", job.shown)))
}
