//! Runs, some at once, each a process with one thread. What is finished is never run again; what was stopped goes on.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::job::{Folder, Job};
use super::plan::Plan;
use super::ssl::Ssl;
use super::stop::{Stop, ask};
use crate::process::{Failure, exit_code};

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
    _lock: File,
}

struct Pool<'a> {
    ssl: &'a Ssl,
    folder: &'a Folder,
    stop: &'a Stop,
    total: usize,
    pending: Vec<&'a Job>,
    workers: Vec<Worker<'a>>,
    made: Made,
    /// The first thing that went wrong.
    failed: Option<Failure>,
    told: bool,
}

/// Makes every run of the plan that isn't there.
pub fn run(
    plan: &Plan,
    ssl: &Ssl,
    folder: &Folder,
    workers: usize,
    stop: &Stop,
) -> Result<Made, Failure> {
    folder.make()?;
    let started = Instant::now();
    let (done, pending): (Vec<&Job>, Vec<&Job>) = plan
        .jobs
        .values()
        .partition(|job| folder.done(&job.name).is_some());
    let mut pool = Pool {
        ssl,
        folder,
        stop,
        total: plan.jobs.len(),
        pending: in_order(plan, pending),
        workers: Vec::new(),
        made: Made {
            before: done.len(),
            ..Made::default()
        },
        failed: None,
        told: false,
    };
    pool.work(workers)?;
    pool.made.seconds = started.elapsed().as_secs_f64();
    Ok(pool.made)
}

/// As the tables name them: a table that is stopped has its first cells.
fn in_order<'a>(plan: &'a Plan, pending: Vec<&'a Job>) -> Vec<&'a Job> {
    let cells = plan
        .experiments
        .iter()
        .flat_map(|experiment| &experiment.cells);
    let named = cells
        .filter_map(|cell| cell.runs.as_ref().ok())
        .flatten()
        .flat_map(|runs| runs.pretrain.iter().chain([&runs.result]));
    let mut ordered: Vec<&Job> = Vec::new();
    for name in named {
        let job = pending.iter().find(|job| job.name == *name);
        if let Some(job) = job.filter(|job| ordered.iter().all(|other| other.name != job.name)) {
            ordered.push(job);
        }
    }
    ordered
}

impl<'a> Pool<'a> {
    fn work(&mut self, workers: usize) -> Result<(), Failure> {
        loop {
            self.reap()?;
            let stopping = self.failed.is_some() || self.stop.code().is_some();
            if stopping && !self.told {
                self.told = true;
                if !self.workers.is_empty() {
                    eprintln!(
                        "xtask: waiting for {} running processes to save",
                        self.workers.len()
                    );
                }
                self.workers
                    .iter_mut()
                    .for_each(|worker| ask(&mut worker.child));
            }
            if !stopping {
                self.launch(workers)?;
            }
            if self.workers.is_empty() && (stopping || self.pending.is_empty()) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        if let Some(code) = self.stop.code() {
            let left = self.pending.len();
            return Err(Failure::Stopped {
                message: format!(
                    "{left} of {} runs are left; the same command goes on with them",
                    self.total
                ),
                code,
            });
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Looks for processes that ended.
    fn reap(&mut self) -> Result<(), Failure> {
        let mut running = Vec::new();
        for mut worker in std::mem::take(&mut self.workers) {
            let status = worker.child.try_wait();
            let status = status.map_err(|e| Failure::Task(format!("waiting for a child: {e}")))?;
            let seconds = worker.started.elapsed().as_secs_f64();
            let job = worker.job;
            match status {
                None => running.push(worker),
                Some(status) if status.success() => {
                    let done = self.folder.finish(job, seconds, &self.ssl.version)?;
                    self.made.now += 1;
                    let at = self.made.now + self.made.before;
                    eprintln!(
                        "[{at}/{}] {} ({}, {:.0} s)",
                        self.total, job.title, job.name, done.seconds
                    );
                }
                Some(status) => {
                    self.folder.spend(&job.name, seconds);
                    self.pending.insert(0, job);
                    if self.stop.code().is_none() && self.failed.is_none() {
                        self.failed = Some(self.failure(job, exit_code(status)));
                    }
                }
            }
        }
        self.workers = running;
        Ok(())
    }

    fn failure(&self, job: &Job, code: u8) -> Failure {
        let log = self.folder.beside(&job.name, "log");
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n  ");
        Failure::Task(format!(
            "{} ended with code {code}: {}\n  {tail}\n(whole log: {})",
            job.title,
            job.shown(),
            log.display()
        ))
    }

    /// Starts what can be started.
    fn launch(&mut self, workers: usize) -> Result<(), Failure> {
        let mut at = 0;
        while self.workers.len() < workers && at < self.pending.len() {
            let job = self.pending[at];
            let waits = job
                .after
                .as_ref()
                .is_some_and(|name| self.folder.done(name).is_none());
            if waits || self.folder.in_use(&job.name) {
                at += 1;
                continue;
            }
            let Some(lock) = self.lock(job)? else {
                at += 1;
                continue;
            };
            self.pending.remove(at);
            // Another process of ours may have made it meanwhile.
            if self.folder.done(&job.name).is_some() {
                self.made.before += 1;
                continue;
            }
            let child = self.start(job)?;
            self.workers.push(Worker {
                job,
                child,
                started: Instant::now(),
                _lock: lock,
            });
        }
        Ok(())
    }

    /// The right to work on a run; none while another process has it.
    fn lock(&self, job: &Job) -> Result<Option<File>, Failure> {
        let path = self.folder.beside(&job.name, "lock");
        let cannot =
            |e: std::io::Error| Failure::Task(format!("cannot lock {}: {e}", path.display()));
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    fn start(&self, job: &Job) -> Result<Child, Failure> {
        let log = self.folder.beside(&job.name, "log");
        let cannot =
            |e: std::io::Error| Failure::Task(format!("cannot start {}: {e}", job.shown()));
        let out = File::create(&log).map_err(cannot)?;
        let mut command = self.ssl.command(&job.args);
        command.args(["--threads", "1", "--quiet"]);
        if !job.name.starts_with("probe-") {
            command.arg("--resume");
        }
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone().map_err(cannot)?)
            .stderr(out);
        // A group of its own: Ctrl-C reaches us alone, and we ask the child once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().map_err(cannot)
    }
}
