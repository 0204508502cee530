//! Stopping when asked: the first SIGINT or SIGTERM lets the current step finish, the second stops
//! at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// How often a waiting command looks whether to stop.
const PATIENCE: Duration = Duration::from_millis(100);

/// A signal that asks the program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`, or a batch system whose time is up.
    Terminate,
    /// A terminal that was closed.
    Hangup,
}

impl Signal {
    /// 128 + the signal's number, as shells report it.
    pub fn exit_code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
            Signal::Hangup => 129,
        }
    }

    /// The signal of this usual name.
    pub fn named(name: &str) -> Option<Signal> {
        let all = [Signal::Interrupt, Signal::Terminate, Signal::Hangup];
        all.into_iter().find(|signal| signal.name() == name)
    }

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            Signal::Hangup => "SIGHUP",
        }
    }
}

/// Sent through an engine in place of the next batch when the program has been asked to stop.
#[derive(Clone, Copy, Debug)]
pub struct Stopped(pub Signal);

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{STOPPED}{}", self.0.name())
    }
}

const STOPPED: &str = "stopped by ";

impl Stopped {
    /// The signal that the words of another process tell of.
    pub fn signal(words: &str) -> Option<Signal> {
        Signal::named(words.strip_prefix(STOPPED)?)
    }
}

impl std::error::Error for Stopped {}

/// Whether the program has been asked to stop; clones share one answer.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    received: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Catches both signals from here on. Of several processes that are `together` none ends at the second one: launchers
    /// send some twice, and one that ends has the launcher end the others while they save.
    pub fn install(together: bool) -> io::Result<Interrupt> {
        let interrupt = Interrupt::default();
        let armed = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in the order they were registered: the shutdown sees `armed` as an
            // earlier signal left it.
            if !together {
                flag::register_conditional_shutdown(signal, 128 + signal, armed.clone())?;
            }
            flag::register(signal, armed.clone())?;
            flag::register_usize(
                signal,
                interrupt.received.clone(),
                signal.unsigned_abs() as usize,
            )?;
        }
        Ok(interrupt)
    }

    /// Catches that the terminal was closed, too, for a command whose processes would go on without it.
    #[cfg(unix)]
    pub fn catch_hangup(&self) -> io::Result<()> {
        let number = SIGHUP.unsigned_abs() as usize;
        flag::register_usize(SIGHUP, self.received.clone(), number).map(|_| ())
    }

    /// There is no such signal here.
    #[cfg(not(unix))]
    pub fn catch_hangup(&self) -> io::Result<()> {
        Ok(())
    }

    /// What another thread sends next; none once it has ended. A signal ends the waiting.
    pub fn wait<T>(&self, sent: &Receiver<T>) -> Result<Option<T>, Stopped> {
        loop {
            if let Some(signal) = self.received() {
                return Err(Stopped(signal));
            }
            match sent.recv_timeout(PATIENCE) {
                Ok(next) => return Ok(Some(next)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// The signal that asked to stop, if one did.
    pub fn received(&self) -> Option<Signal> {
        match self.received.load(Ordering::Relaxed) as i32 {
            SIGINT => Some(Signal::Interrupt),
            SIGTERM => Some(Signal::Terminate),
            #[cfg(unix)]
            SIGHUP => Some(Signal::Hangup),
            _ => None,
        }
    }
}
