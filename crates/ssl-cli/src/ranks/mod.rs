//! The processes that share a command: those that an MPI launcher started together, or this one alone.
//!
//! Engines know the trait [`Ranks`]; here is who is who. Rank 0 owns the run folder, the terminal and what is written; the
//! others compute, and print nothing but why they fail. A failure that all ranks learn of is [`Failure::Elsewhere`] in all but
//! rank 0, which finishes what it writes and then ends the job.

#[cfg(feature = "mpi")]
mod mpi;

use std::fs;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use skeletonmae::train::ranks::{Alone, Ranks, Reader, Writer};

use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::process::{field, instruction_set, processor};
use crate::signal::{Signal, Stopped};
use crate::text::hex;

/// What launchers set for the processes that they start: Open MPI, MPICH and Slurm's PMI-2, PMIx.
pub const LAUNCHED: [&str; 3] = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"];

/// The variable that, with the value 0, has a process take no notice of its launcher.
pub const SWITCH: &str = "SSL_MPI";

/// How long a rank that fails waits for rank 0, which may have failed for the same reason and says it.
const PATIENCE: Duration = Duration::from_secs(2);

/// All processes of the command.
#[derive(Debug)]
pub struct World {
    transport: Transport,
    members: Vec<Member>,
    traffic: Mutex<Traffic>,
}

/// What a rank has exchanged so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// Bytes that it was sent, its own left out.
    pub received: usize,
    /// Spent on it, waiting for slower ranks included.
    pub time: Duration,
}

#[derive(Debug)]
enum Transport {
    Alone(Alone),
    #[cfg(feature = "mpi")]
    Mpi(mpi::Processes),
}

/// What a rank says of itself.
#[derive(Clone, Debug, Default)]
struct Member {
    host: String,
    /// Version, commit, and the digest of its file.
    program: String,
    instruction_set: String,
    /// Equal ones multiply matrices in the same blocks.
    processor: String,
    /// What was typed.
    arguments: String,
    /// The processors that it may run on.
    allowed: String,
}

static WORLD: OnceLock<World> = OnceLock::new();
static LONE: OnceLock<World> = OnceLock::new();
static IS_LONE: AtomicBool = AtomicBool::new(false);

/// The processes of this command.
pub fn world() -> &'static World {
    match IS_LONE.load(Ordering::Relaxed) {
        true => LONE.get_or_init(World::lone),
        false => WORLD.get_or_init(World::lone),
    }
}

/// From here on this process shares nothing with the others, whose command it does alone.
pub fn share_nothing() {
    IS_LONE.store(true, Ordering::Relaxed);
}

/// Meets the other processes, where a launcher started this one with others. Ranks that can't give the bits of one process
/// are refused: another program, other instructions, another command line.
pub fn start() -> Outcome {
    let Some((transport, host)) = meet()? else {
        return Ok(());
    };
    let mut world = World {
        transport,
        members: Vec::new(),
        traffic: Mutex::default(),
    };
    let members = world.all_gather(&Member::own(host).to_message())?;
    let members = members.iter().map(|message| Member::read(message));
    world.members = members.collect::<skeletonmae::Result<_>>()?;
    WORLD.get_or_init(|| world).check()
}

/// What brings this process's messages to the others of its job, and its host's name, where a launcher started it.
#[cfg(feature = "mpi")]
fn meet() -> Outcome<Option<(Transport, String)>> {
    if !is_launched() {
        return Ok(None);
    }
    let processes = mpi::Processes::start()?;
    let host = processes.host();
    Ok(Some((Transport::Mpi(processes), host)))
}

/// A program without MPI is alone.
#[cfg(not(feature = "mpi"))]
fn meet() -> Outcome<Option<(Transport, String)>> {
    Ok(None)
}

/// Whether a launcher started this process, perhaps with others.
fn is_launched() -> bool {
    let off = std::env::var_os(SWITCH).is_some_and(|value| value == "0");
    !off && LAUNCHED.iter().any(|name| std::env::var_os(name).is_some())
}

/// A warning where a launcher has started several processes of a program that is built without MPI.
pub fn missing_mpi() -> Option<String> {
    let sizes = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];
    let size = sizes.iter().find_map(|name| std::env::var(name).ok());
    let several = size.filter(|size| size != "1" && is_launched() && !cfg!(feature = "mpi"))?;
    Some(format!(
        "one of {several} processes of a launcher, but this program is built without MPI (docs: Machines): each does everything by itself; {SWITCH}=0 says that this is meant"
    ))
}

impl Member {
    fn own(host: String) -> Member {
        let file = std::env::current_exe().and_then(fs::read);
        let digest = file.map_or("unknown".into(), |bytes| hex(&Sha256::digest(bytes)));
        let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("SSL_COMMIT"));
        let arguments: Vec<String> = std::env::args_os()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        Member {
            host,
            program: format!("{version}, commit {commit:.12}, file {digest:.12}"),
            instruction_set: instruction_set(),
            processor: processor(),
            arguments: arguments.join(" "),
            allowed: field("/proc/self/status", "Cpus_allowed_list"),
        }
    }

    fn to_message(&self) -> Vec<u8> {
        let mut message = Writer::default();
        for text in [
            &self.host,
            &self.program,
            &self.instruction_set,
            &self.processor,
            &self.arguments,
            &self.allowed,
        ] {
            message.text(text);
        }
        message.done()
    }

    fn read(message: &[u8]) -> skeletonmae::Result<Member> {
        let mut message = Reader::of(message);
        Ok(Member {
            host: message.text()?,
            program: message.text()?,
            instruction_set: message.text()?,
            processor: message.text()?,
            arguments: message.text()?,
            allowed: message.text()?,
        })
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.ranks().rank()
    }

    fn size(&self) -> usize {
        self.ranks().size()
    }

    fn all_gather(&self, own: &[u8]) -> skeletonmae::Result<Vec<Vec<u8>>> {
        self.counted(|ranks| ranks.all_gather(own))
    }

    fn exchange(&self, to: &[Vec<u8>], from: &[usize]) -> skeletonmae::Result<Vec<Vec<u8>>> {
        self.counted(|ranks| ranks.exchange(to, from))
    }
}

impl World {
    fn lone() -> World {
        World {
            transport: Transport::Alone(Alone),
            members: vec![Member::default()],
            traffic: Mutex::default(),
        }
    }

    fn ranks(&self) -> &dyn Ranks {
        match &self.transport {
            Transport::Alone(alone) => alone,
            #[cfg(feature = "mpi")]
            Transport::Mpi(processes) => processes,
        }
    }

    fn counted(
        &self,
        exchange: impl FnOnce(&dyn Ranks) -> skeletonmae::Result<Vec<Vec<u8>>>,
    ) -> skeletonmae::Result<Vec<Vec<u8>>> {
        let started = Instant::now();
        let all = exchange(self.ranks())?;
        let others = all
            .iter()
            .enumerate()
            .filter(|(rank, _)| *rank != self.rank());
        let received: usize = others.map(|(_, bytes)| bytes.len()).sum();
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        traffic.received += received;
        traffic.time += started.elapsed();
        Ok(all)
    }

    /// What this rank has exchanged since it was last asked.
    pub fn traffic(&self) -> Traffic {
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut traffic)
    }

    /// Whether this rank owns the run folder and the terminal.
    pub fn is_root(&self) -> bool {
        self.rank() == 0
    }

    /// `rank 2 on node7`.
    fn name(&self, rank: usize) -> String {
        format!("rank {rank} on {}", self.members[rank].host)
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        let mut hosts: Vec<&str> = self.members.iter().map(|m| m.host.as_str()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.len()
    }

    /// The ranks on this one's host, of which this one has so many before it.
    pub fn local(&self) -> (usize, usize) {
        let host = &self.members[self.rank()].host;
        let on_host = |members: &[Member]| members.iter().filter(|m| m.host == *host).count();
        (
            on_host(&self.members[..self.rank()]),
            on_host(&self.members),
        )
    }

    /// Threads of each of the ranks that may run on this one's processors, of which there are so many.
    pub fn share_of(&self, processors: usize) -> usize {
        let own = &self.members[self.rank()];
        let beside = |m: &&Member| m.host == own.host && m.allowed == own.allowed;
        (processors / self.members.iter().filter(beside).count()).max(1)
    }

    /// A warning where ranks have other processors, so that their results may not be those of one process bit for bit.
    pub fn processors_differ(&self) -> Option<String> {
        let other = |m: &Member| m.processor != self.members[0].processor;
        let rank = self.members.iter().position(other)?;
        Some(format!(
            "{} has another processor than {} ({}, {}): products may be blocked otherwise, so that last bits may differ from those of one process",
            self.name(rank),
            self.name(0),
            self.members[rank].processor,
            self.members[0].processor
        ))
    }

    /// Refuses ranks that differ.
    fn check(&self) -> Outcome {
        type Fact = (&'static str, fn(&Member) -> &str);
        let facts: [Fact; 3] = [
            ("program", |m| &m.program),
            ("instruction set", |m| &m.instruction_set),
            ("command line", |m| &m.arguments),
        ];
        for (what, of) in facts {
            let all: Vec<String> = self.members.iter().map(|m| of(m).to_owned()).collect();
            self.equal(what, &all)?;
        }
        Ok(())
    }

    /// Refuses a rank that has another `what` than rank 0; each tells its own.
    pub fn same(&self, what: &str, own: &str) -> Outcome {
        let all = self.all_gather(own.as_bytes())?;
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        self.equal(what, &all.iter().map(text).collect::<Vec<_>>())
    }

    fn equal(&self, what: &str, all: &[String]) -> Outcome {
        let Some(rank) = all.iter().position(|other| *other != all[0]) else {
            return Ok(());
        };
        if !self.is_root() {
            return Err(Failure::Elsewhere);
        }
        Err(Failure::error(format!(
            "{} has another {what} than {}: {}, expected {}",
            self.name(rank),
            self.name(0),
            all[rank],
            all[0]
        ))
        .hint("all ranks run one program on one data set, by one command line: only so do they give what one process gives"))
    }

    /// What rank 0 has, in all ranks.
    pub fn of_root(&self, own: impl FnOnce() -> Outcome<Vec<u8>>) -> Outcome<Vec<u8>> {
        let own = match self.is_root() {
            true => own()?,
            false => Vec::new(),
        };
        let mut all = self.all_gather(&own)?;
        Ok(all.swap_remove(0))
    }

    /// The signal that any rank received.
    pub fn signal(&self, own: Option<Signal>) -> Outcome<Option<Signal>> {
        let all = self.all_gather(own.map_or("", Signal::name).as_bytes())?;
        let named = |name: &Vec<u8>| Signal::named(&String::from_utf8_lossy(name));
        Ok(own.or(all.iter().find_map(named)))
    }

    /// An engine's error as what this rank makes of it: what all ranks learnt of is rank 0's to say.
    pub fn failure(&self, error: skeletonmae::Error) -> Failure {
        use skeletonmae::Error;
        match error {
            Error::OtherRank { rank, message } => {
                if let Some(signal) = Stopped::signal(&message) {
                    return Failure::interrupted(signal, "nothing more was written");
                }
                match self.is_root() {
                    true => Failure::error(message).of(self.name(rank)),
                    false => Failure::Elsewhere,
                }
            }
            Error::Tensor(_) | Error::Exchange(_) => Failure::from(error),
            error => match Failure::from(error) {
                failure @ Failure::Interrupted { .. } => failure,
                _ if !self.is_root() => Failure::Elsewhere,
                failure => failure,
            },
        }
    }

    /// Ends the command in all ranks, with the code by which scripts tell the kinds apart.
    pub fn end(&self, result: Outcome, printer: &Printer) -> ExitCode {
        let failure = match result {
            Ok(()) => return self.finish(0),
            Err(Failure::Elsewhere) => return self.finish(1),
            Err(failure) => failure,
        };
        let (code, several) = (failure.exit_code(), self.size() > 1);
        if !several || matches!(failure, Failure::Interrupted { .. }) {
            printer.failure(&failure);
            return self.finish(code);
        }
        let failure = match self.is_root() {
            true => failure,
            false => {
                std::thread::sleep(PATIENCE);
                failure.of(self.name(self.rank()))
            }
        };
        printer.failure(&failure);
        self.abort(code)
    }

    /// Waits until all ranks have come so far: a launcher stops the others as soon as one ends with another code than 0.
    pub fn finish(&self, code: u8) -> ExitCode {
        #[cfg(feature = "mpi")]
        if let Transport::Mpi(processes) = &self.transport {
            processes.finish();
        }
        ExitCode::from(code)
    }

    /// Ends all ranks at once.
    fn abort(&self, code: u8) -> ExitCode {
        #[cfg(feature = "mpi")]
        if let Transport::Mpi(processes) = &self.transport {
            processes.abort(code);
        }
        ExitCode::from(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(members: &[(&str, &str)]) -> World {
        let member = |(host, allowed): &(&str, &str)| Member {
            host: (*host).into(),
            allowed: (*allowed).into(),
            ..Member::default()
        };
        World {
            transport: Transport::Alone(Alone),
            members: members.iter().map(member).collect(),
            traffic: Mutex::default(),
        }
    }

    #[test]
    fn ranks_that_share_processors_share_them_evenly() {
        let bound = [("a", "0"), ("a", "1"), ("b", "0")];
        assert_eq!(world(&bound).share_of(1), 1);
        let free = [("a", "0-7"), ("a", "0-7"), ("b", "0-7")];
        assert_eq!(world(&free).share_of(8), 4);
        assert_eq!(world(&[("a", "0"); 3]).share_of(1), 1);
        assert_eq!((world(&free).local(), world(&free).hosts()), ((0, 2), 2));
    }

    #[test]
    fn the_rank_that_differs_is_named_by_its_host() {
        let world = world(&[("a", ""), ("node7", "")]);
        assert!(world.equal("data", &["1".into(), "1".into()]).is_ok());
        let refused = world.equal("data", &["1".into(), "2".into()]).unwrap_err();
        let expected = "rank 1 on node7 has another data than rank 0 on a: 2, expected 1";
        assert_eq!(refused.message(), expected);
    }

    #[test]
    fn another_ranks_signal_is_a_signal_here() {
        let world = world(&[("a", ""), ("b", "")]);
        let error = |message: String| skeletonmae::Error::OtherRank { rank: 1, message };
        let stopped = Stopped(Signal::Terminate).to_string();
        let failure = world.failure(error(stopped));
        assert_eq!(failure.exit_code(), 143);
        let failure = world.failure(error("no disk".into()));
        assert_eq!(failure.message(), "rank 1 on b: no disk");
    }
}
