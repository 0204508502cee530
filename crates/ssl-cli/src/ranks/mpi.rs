//! Processes of one MPI job.
//!
//! MPI's own waiting keeps a processor busy, which the other ranks of a machine may need; here a rank that waits asks now and
//! then, and sleeps between. All calls come from the thread that started it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mpi::collective::CommunicatorCollectives;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::{self, Universe};
use mpi::request::{Request, Scope, scope};
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::{Count, Threading};
use skeletonmae::train::ranks::Ranks;
use skeletonmae::{Error, Result};

use crate::failure::{Failure, Outcome};

/// How long a rank that waits asks again and again.
const EAGER: Duration = Duration::from_micros(200);
/// How long it sleeps between two questions after that.
const PAUSE: Duration = Duration::from_micros(50);

/// All processes of the job.
pub struct Processes {
    rank: usize,
    size: usize,
    /// Ends MPI when it is dropped.
    universe: Mutex<Option<Universe>>,
}

impl std::fmt::Debug for Processes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {}", self.rank, self.size)
    }
}

fn world() -> SimpleCommunicator {
    SimpleCommunicator::world()
}

impl Processes {
    /// Starts MPI; once in a process.
    pub fn start() -> Outcome<Processes> {
        let started = environment::initialize_with_threading(Threading::Funneled);
        let (universe, _) = started.ok_or_else(|| Failure::error("MPI was started before"))?;
        Ok(Processes {
            rank: world().rank() as usize,
            size: world().size() as usize,
            universe: Mutex::new(Some(universe)),
        })
    }

    /// The machine's name.
    pub fn host(&self) -> String {
        environment::processor_name().unwrap_or("an unnamed host".into())
    }

    /// Waits for all, and ends MPI.
    pub fn finish(&self) {
        wait(world().immediate_barrier());
        let mut universe = self.universe.lock().unwrap_or_else(PoisonError::into_inner);
        drop(universe.take());
    }

    /// Ends all ranks at once.
    pub fn abort(&self, code: u8) -> ! {
        world().abort(code.into())
    }
}

/// Waits for a request, and leaves the processor to others meanwhile.
fn wait<'a, D: ?Sized, S: Scope<'a>>(mut request: Request<'a, D, S>) {
    let started = Instant::now();
    loop {
        match request.test() {
            Ok(_) => return,
            Err(again) => request = again,
        }
        match started.elapsed() < EAGER {
            true => std::thread::yield_now(),
            false => std::thread::sleep(PAUSE),
        }
    }
}

/// Lengths as MPI takes them, with where each part begins.
fn counted(lengths: impl Iterator<Item = usize>) -> Result<(Vec<Count>, Vec<Count>)> {
    let (mut counts, mut starts, mut from) = (Vec::new(), Vec::new(), 0usize);
    let whole = |n: usize| {
        Count::try_from(n).map_err(|_| {
            Error::Exchange(format!(
                "a message of {n} bytes: MPI has at most {}",
                Count::MAX
            ))
        })
    };
    for length in lengths {
        counts.push(whole(length)?);
        starts.push(whole(from)?);
        from += length;
    }
    whole(from)?;
    Ok((counts, starts))
}

/// The parts of a buffer.
fn split(all: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
    let mut left = all;
    let part = |&length: &usize| {
        let (own, others) = left.split_at(length);
        left = others;
        own.to_vec()
    };
    lengths.iter().map(part).collect()
}

impl Ranks for Processes {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let length = own.len() as u64;
        let mut lengths = vec![0u64; self.size];
        scope(|scope| wait(world().immediate_all_gather_into(scope, &length, &mut lengths[..])));
        let lengths: Vec<usize> = lengths.into_iter().map(|n| n as usize).collect();
        let (counts, starts) = counted(lengths.iter().copied())?;
        let mut all = vec![0u8; lengths.iter().sum()];
        let mut to = PartitionMut::new(&mut all[..], counts, starts);
        scope(|scope| wait(world().immediate_all_gather_varcount_into(scope, own, &mut to)));
        Ok(split(&all, &lengths))
    }

    fn exchange(&self, to: &[Vec<u8>], from: &[usize]) -> Result<Vec<Vec<u8>>> {
        let (counts, starts) = counted(to.iter().map(Vec::len))?;
        let sent = to.concat();
        let sent = Partition::new(&sent[..], counts, starts);
        let (counts, starts) = counted(from.iter().copied())?;
        let mut all = vec![0u8; from.iter().sum()];
        let mut received = PartitionMut::new(&mut all[..], counts, starts);
        scope(|scope| {
            wait(world().immediate_all_to_all_varcount_into(scope, &sent, &mut received));
        });
        Ok(split(&all, from))
    }
}
