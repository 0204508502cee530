//! Ctrl-C: our children stop first, and say what they left.

use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::process::Failure;

/// Ctrl-C, a batch system, and a terminal that was closed.
#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Whether the task has been asked to stop.
pub struct Stop {
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Catches the signals from here on.
    pub fn install() -> Result<Stop, Failure> {
        let signal = Arc::new(AtomicUsize::new(0));
        for caught in SIGNALS {
            let number = caught.unsigned_abs() as usize;
            signal_hook::flag::register_usize(caught, signal.clone(), number)
                .map_err(|e| Failure::Task(format!("catching signals: {e}")))?;
        }
        Ok(Stop { signal })
    }

    /// The exit code that the signal asks for, if there was one.
    pub fn code(&self) -> Option<u8> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            number => Some(128 + u8::try_from(number).unwrap_or(0)),
        }
    }
}

/// Asks a child to save and stop.
#[cfg(unix)]
pub fn ask(child: &mut Child) {
    let pid = child.id().to_string();
    let _ = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
}

/// Ends a child: it can't be asked here.
#[cfg(not(unix))]
pub fn ask(child: &mut Child) {
    let _ = child.kill();
}
