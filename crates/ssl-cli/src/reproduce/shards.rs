//! Runs over several machines that share a folder: which makes which, and what happens to the runs of one that is gone.
//!
//! Parts are fixed by the plan alone, so that machines need not talk: a run that starts from another's encoder is in the same part.
//! Beside that, whoever works on a run holds a claim on it: the lock of a file, and in the file its machine and a count that goes on.
//! A lock says all on one machine, and on file systems that pass locks on (NFS does, Lustre as it is mounted). Elsewhere the count does:
//! a run that another machine has claimed is left alone until the count has stood still for some time. Its clock is never asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::job::Job;
use crate::args::Shard;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::process::host_name;

/// How often the count of a claim goes on.
const BEAT: Duration = Duration::from_secs(15);
/// How often a claim of another machine is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// The longest claim, in bytes.
const LONGEST: u64 = 256;

/// The names of a part's runs. Each run goes with the one whose encoder it starts from; these groups are dealt out, the heaviest
/// first, each to the part that has least, so that parts weigh about the same.
pub fn share(
    jobs: &BTreeMap<String, Job>,
    weight: impl Fn(&Job) -> f64,
    shard: Shard,
) -> BTreeSet<&String> {
    let mut groups: BTreeMap<&String, (f64, Vec<&String>)> = BTreeMap::new();
    for (name, job) in jobs {
        let mut first = job;
        // As long as there is an earlier one; a plan has no circles.
        while let Some(earlier) = first.after.as_ref().and_then(|name| jobs.get(name)) {
            first = earlier;
        }
        let (sum, names) = groups.entry(&first.name).or_default();
        *sum += weight(job);
        names.push(name);
    }
    let mut groups: Vec<(f64, Vec<&String>)> = groups.into_values().collect();
    // Equal ones stay in the order of their names.
    groups.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut parts = vec![(0.0, BTreeSet::new()); shard.of];
    for (sum, names) in groups {
        // Of parts that weigh the same, the one with fewer runs: probes weigh nothing.
        let least = parts.iter_mut().min_by(|a, b| {
            let weights = f64::total_cmp(&a.0, &b.0);
            weights.then(a.1.len().cmp(&b.1.len()))
        });
        let (weight, part) = least.expect("there is at least one part");
        *weight += sum;
        part.extend(names);
    }
    parts.swap_remove(shard.index - 1).1
}

/// What this process has seen of the claims of other machines.
#[derive(Debug)]
pub struct Claims {
    host: String,
    silence: Duration,
    seen: BTreeMap<PathBuf, Seen>,
}

/// A claim of another machine.
#[derive(Debug)]
struct Seen {
    text: String,
    /// Since when it has been so.
    since: Instant,
    looked: Instant,
}

/// The right to work on a run.
#[derive(Debug)]
pub struct Claim {
    file: File,
    host: String,
    count: u64,
    beaten: Instant,
}

impl Claims {
    /// None yet; a machine counts as gone after `silence`.
    pub fn new(silence: Duration) -> Claims {
        Claims {
            host: host_name(),
            silence,
            seen: BTreeMap::new(),
        }
    }

    /// Claims a run by its file; none while another process has it, or another machine may have it.
    pub fn take(&mut self, path: &Path, printer: &Printer) -> Outcome<Option<Claim>> {
        let looked = self.seen.get(path).map(|seen| seen.looked.elapsed());
        if looked.is_some_and(|ago| ago < LOOK) {
            return Ok(None);
        }
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(path).map_err(Failure::io(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(Failure::io(path)(error)),
        }
        let mut text = Vec::new();
        let read = Read::by_ref(&mut file).take(LONGEST).read_to_end(&mut text);
        read.map_err(Failure::io(path))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let other = text
            .split_whitespace()
            .next()
            .filter(|&host| host != self.host);
        if let Some(other) = other {
            let now = Instant::now();
            let seen = self.seen.entry(path.to_owned()).or_insert(Seen {
                text: text.clone(),
                since: now,
                looked: now,
            });
            seen.looked = now;
            if seen.text != text {
                (seen.text, seen.since) = (text.clone(), now);
            }
            if seen.since.elapsed() < self.silence {
                return Ok(None);
            }
            let (name, seconds) = (path.file_stem().unwrap_or_default(), self.silence.as_secs());
            printer.warn(format!(
                "{}: {other} has given no sign of life for {seconds} s; going on with its run",
                name.to_string_lossy()
            ));
        }
        self.seen.remove(path);
        let (host, beaten) = (self.host.clone(), Instant::now());
        let mut claim = Claim {
            file,
            host,
            count: 0,
            beaten,
        };
        claim.write();
        Ok(Some(claim))
    }
}

impl Claim {
    /// Lets other machines know that this one is at work; call it often.
    pub fn beat(&mut self) {
        if self.beaten.elapsed() >= BEAT {
            self.beaten = Instant::now();
            self.count += 1;
            self.write();
        }
    }

    /// Gives the run back, so that nobody has to wait for silence.
    pub fn release(self) {
        // Lost, it costs another machine a wait.
        let _ = self.file.set_len(0);
        let _ = self.file.sync_all();
    }

    fn write(&mut self) {
        let text = format!("{} {} {}\n", self.host, std::process::id(), self.count);
        // A lock that can't be written still is one; a full disk is told of by what matters.
        let _ = self.file.rewind();
        let _ = self.file.set_len(0);
        let _ = self.file.write_all(text.as_bytes());
        let _ = self.file.sync_data();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::job::tests::job;

    fn jobs(names: &[(&str, Option<&str>)]) -> BTreeMap<String, Job> {
        let named = names.iter().map(|&(name, after)| {
            let job = Job {
                name: name.to_owned(),
                after: after.map(str::to_owned),
                ..job()
            };
            (name.to_owned(), job)
        });
        named.collect()
    }

    fn parts(jobs: &BTreeMap<String, Job>, of: usize) -> Vec<Vec<&str>> {
        let weight = |job: &Job| f64::from(job.name.as_bytes()[0] - b'a' + 1);
        let part = |index| share(jobs, weight, Shard { index, of });
        let names = |index| part(index).into_iter().map(String::as_str).collect();
        (1..=of).map(names).collect()
    }

    #[test]
    fn each_run_is_in_one_part_with_what_it_starts_from() {
        let after = [("b1", "a1"), ("b2", "a1"), ("c1", "a2"), ("d1", "a3")];
        let first = ["a1", "a2", "a3", "e1", "f1"].map(|name| (name, None));
        let after = after.map(|(name, of)| (name, Some(of)));
        let jobs = jobs(&[&first[..], &after].concat());
        for of in 1..8 {
            let parts = parts(&jobs, of);
            let mut all: Vec<&str> = parts.iter().flatten().copied().collect();
            all.sort_unstable();
            assert_eq!(
                all,
                jobs.keys().map(String::as_str).collect::<Vec<_>>(),
                "{of}"
            );
            for part in &parts {
                for (name, of) in after {
                    assert_eq!(part.contains(&name), part.contains(&of.expect("set above")));
                }
            }
        }
        // Weights 6, 5, 5 (a1 with two), 5 (a3), 4: f1 and a2's, the rest in two pairs.
        let two = parts(&jobs, 2);
        let weight = |part: &[&str]| -> u32 {
            part.iter()
                .map(|name| u32::from(name.as_bytes()[0] - b'a' + 1))
                .sum()
        };
        assert_eq!(weight(&two[0]).abs_diff(weight(&two[1])), 3, "{two:?}");
    }

    #[test]
    fn runs_that_weigh_nothing_are_shared_out_too() {
        let jobs = jobs(&[("a1", None), ("a2", None), ("a3", None), ("a4", None)]);
        let part = |index| share(&jobs, |_| 0.0, Shard { index, of: 2 }).len();
        assert_eq!((part(1), part(2)), (2, 2));
    }

    #[test]
    fn a_run_has_one_claim_and_is_free_when_it_is_released() {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        let (path, printer) = (folder.path().join("x.lock"), Printer::new(true));
        let mut claims = Claims::new(Duration::from_secs(3600));
        let mut take = || {
            claims
                .take(&path, &printer)
                .expect("the folder is writable")
        };
        let claim = take().expect("nobody has it");
        let text = std::fs::read_to_string(&path).expect("a claim");
        assert!(text.starts_with(&format!("{} ", host_name())), "{text}");
        assert!(take().is_none(), "it is taken");
        claim.release();
        assert_eq!(std::fs::read(&path).expect("it stays"), b"");
        // A process of this machine that was killed leaves its claim behind, and no lock.
        std::fs::write(&path, &text).expect("writable");
        assert!(take().is_some());
    }

    #[test]
    fn another_machines_run_is_taken_only_after_silence() {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        let (path, printer) = (folder.path().join("x.lock"), Printer::new(true));
        let mut claims = Claims::new(Duration::from_secs(10));
        let long_ago = |seen: &mut Seen| {
            let ago = |seconds: u64| Instant::now().checked_sub(Duration::from_secs(seconds));
            (seen.since, seen.looked) = (ago(20).expect("a clock"), ago(10).expect("a clock"));
        };
        let mut look = |text: &str, later: bool| {
            std::fs::write(&path, text).expect("writable");
            if later {
                claims.seen.values_mut().for_each(long_ago);
            }
            let taken = claims
                .take(&path, &printer)
                .expect("the folder is writable");
            taken.is_some()
        };
        assert!(!look("elsewhere 1 7", false), "it may be at work");
        assert!(!look("elsewhere 1 8", true), "it is at work");
        assert!(
            look("elsewhere 1 8", true),
            "nothing has happened for 20 seconds"
        );
    }
}
