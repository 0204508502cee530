//! Numbered jobs done by threads, their results in order.
//!
//! Jobs are begun in order, and never more than a few before the result that is wanted next: memory stays bounded, and the error
//! that is reported is the first by number, whoever was faster. A panic in a job becomes an error.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::{Error, Result};

/// Jobs that may be done or in work for each thread before the result of the first of them is taken.
pub(crate) const AHEAD: usize = 2;

/// What the threads share.
struct Queue<T> {
    jobs: usize,
    ahead: usize,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// Results that wait to be taken, by their jobs.
    ready: BTreeMap<usize, Result<T>>,
    /// The first job that nobody has begun.
    begun: usize,
    /// The job whose result is taken next.
    wanted: usize,
}

impl<T> Queue<T> {
    fn new(jobs: usize, threads: usize) -> Queue<T> {
        let state = State {
            ready: BTreeMap::new(),
            begun: 0,
            wanted: 0,
        };
        Queue {
            jobs,
            ahead: threads * AHEAD,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one still guards a sound state.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `take` gives something.
    fn wait<R>(&self, mut take: impl FnMut(&mut State<T>) -> Option<R>) -> R {
        let mut state = self.lock();
        loop {
            if let Some(taken) = take(&mut state) {
                return taken;
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A thread's life: jobs in turn, until none is left.
    fn work(&self, mut job: impl FnMut(usize) -> Result<T>) {
        let begin = |state: &mut State<T>| {
            let next = state.begun;
            let may_begin = next >= self.jobs || next < state.wanted + self.ahead;
            may_begin.then(|| {
                state.begun = next + 1;
                next
            })
        };
        loop {
            let index = self.wait(begin);
            if index >= self.jobs {
                return;
            }
            let result = guarded(|| job(index));
            self.lock().ready.insert(index, result);
            self.changed.notify_all();
        }
    }

    /// Waits for the next result. Every job that is begun has one, since panics are caught.
    fn take(&self) -> Result<T> {
        let result = self.wait(|state| {
            let result = state.ready.remove(&state.wanted)?;
            state.wanted += 1;
            Some(result)
        });
        self.changed.notify_all();
        result
    }

    /// Lets no further job begin.
    fn stop(&self) {
        self.lock().begun = self.jobs;
        self.changed.notify_all();
    }
}

/// Does a job; a panic becomes an error.
fn guarded<T>(job: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panic leaves behind is of no use to anyone: nothing is asked for after the error.
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::Worker {
            message: text.unwrap_or_else(|| "a panic without a message".into()),
        })
    })
}

/// The results of jobs in their order, which threads prepare. Ends after the first error. Dropping it stops the threads.
pub(crate) struct InOrder<T> {
    queue: Arc<Queue<T>>,
    threads: Vec<JoinHandle<()>>,
    /// Where there are no threads, the one that asks does the jobs.
    own: Option<Job<T>>,
    next: usize,
}

type Job<T> = Box<dyn FnMut(usize) -> Result<T> + Send>;

impl<T: Send + 'static> InOrder<T> {
    /// Begins jobs 0 to `jobs`; each thread does them by what `job` makes for it.
    pub(crate) fn new<J>(jobs: usize, threads: usize, job: impl Fn() -> J) -> InOrder<T>
    where
        J: FnMut(usize) -> Result<T> + Send + 'static,
    {
        let queue = Arc::new(Queue::new(jobs, threads));
        let spawn = |_| {
            let (queue, job) = (Arc::clone(&queue), job());
            std::thread::spawn(move || queue.work(job))
        };
        InOrder {
            threads: (0..threads.min(jobs)).map(spawn).collect(),
            own: (threads == 0).then(|| Box::new(job()) as Job<T>),
            next: 0,
            queue,
        }
    }

    /// How many results are left, unless an error comes before.
    pub(crate) fn left(&self) -> usize {
        self.queue.jobs - self.next
    }
}

impl<T: Send + 'static> Iterator for InOrder<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let index = self.next;
        if index >= self.queue.jobs {
            return None;
        }
        let result = match &mut self.own {
            Some(job) => guarded(|| job(index)),
            None => self.queue.take(),
        };
        self.next = index + 1;
        if result.is_err() {
            self.next = self.queue.jobs;
            self.queue.stop();
        }
        Some(result)
    }
}

impl<T> Drop for InOrder<T> {
    fn drop(&mut self) {
        self.queue.stop();
        for thread in self.threads.drain(..) {
            // Its panics were caught and handed over as errors.
            let _ = thread.join();
        }
    }
}

/// The same with jobs that borrow: shows the results to `visit`, and ends where it breaks.
///
/// # Errors
/// That of the first job that has one.
pub(crate) fn visit_in_order<T: Send, J: FnMut(usize) -> Result<T> + Send>(
    jobs: usize,
    threads: usize,
    job: impl Fn() -> J,
    mut visit: impl FnMut(T) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    let threads = threads.clamp(1, jobs.max(1));
    let queue = Queue::new(jobs, threads);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (queue, job) = (&queue, job());
            scope.spawn(move || queue.work(job));
        }
        let mut show = || {
            (0..jobs).try_for_each(|_| match queue.take().map(&mut visit) {
                Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
                end => ControlFlow::Break(end),
            })
        };
        let shown = catch_unwind(AssertUnwindSafe(&mut show));
        // Or the threads would wait for ever for somebody who takes their results.
        queue.stop();
        match shown {
            Ok(ControlFlow::Continue(())) => Ok(ControlFlow::Continue(())),
            Ok(ControlFlow::Break(end)) => end,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
