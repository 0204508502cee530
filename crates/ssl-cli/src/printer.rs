//! The only place that prints: data to stdout, everything else to stderr.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::{Failure, Outcome};
use crate::text::{harmless, message};

/// How often a plain (non-terminal) progress line is written.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);

/// Where everything the user sees goes through.
#[derive(Clone, Debug)]
pub struct Printer {
    bars: MultiProgress,
    terminal: bool,
    colour: bool,
    quiet: bool,
    /// Only why the command fails.
    silent: bool,
    unicode: bool,
}

impl Printer {
    /// Looks at stderr and at `NO_COLOR` once.
    pub fn new(quiet: bool) -> Printer {
        let terminal = io::stderr().is_terminal() && !quiet;
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Printer {
            bars: MultiProgress::with_draw_target(target),
            terminal,
            colour: terminal && !plain,
            quiet,
            silent: false,
            unicode: shows_unicode(|name| std::env::var(name).ok()),
        }
    }

    /// The printer of a process beside the one that prints: it says why it fails, no more.
    #[must_use]
    pub fn silenced(self) -> Printer {
        Printer {
            terminal: false,
            quiet: true,
            silent: true,
            ..self
        }
    }

    /// Whether block characters are shown as such.
    pub fn unicode(&self) -> bool {
        self.unicode
    }

    /// Whether somebody looks at a terminal that can be drawn over, and not at a file or a pipe.
    pub fn draws(&self) -> bool {
        self.terminal && io::stdout().is_terminal()
    }

    /// Lines that are drawn over each other, for somebody who looks at a terminal ([`draws`](Self::draws)).
    pub fn panel(&self) -> Panel {
        let bar = self.bars.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Panel { bar }
    }

    /// Data: one document on stdout. A reader that closed the pipe early has what it wanted.
    pub fn document(&self, text: &str) -> Outcome {
        self.answer(text).map(|_| ())
    }

    /// One of many documents that follow each other without end: breaks off where nobody reads them any more.
    pub fn answer(&self, text: &str) -> Outcome<ControlFlow<()>> {
        if self.silent {
            return Ok(ControlFlow::Continue(()));
        }
        let written = self.bars.suspend(|| {
            let mut out = io::stdout().lock();
            out.write_all(harmless(text).as_bytes())?;
            if !text.ends_with('\n') {
                out.write_all(b"\n")?;
            }
            out.flush()
        });
        match written {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
            Err(error) => Err(Failure::error(format!("standard output: {error}"))),
        }
    }

    /// A value as one JSON document on stdout.
    pub fn json(&self, value: &impl serde::Serialize) -> Outcome {
        let text = serde_json::to_string_pretty(value)?;
        self.document(&text)
    }

    /// What was found, as one JSON document or as text for people.
    pub fn report<T: serde::Serialize>(
        &self,
        json: bool,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Outcome {
        match json {
            true => self.json(value),
            false => self.document(&text(value)),
        }
    }

    /// What the program is doing, on stderr; nothing under `--quiet`.
    pub fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            self.stderr(line.as_ref());
        }
    }

    /// Something the user should know although the command goes on.
    pub fn warn(&self, line: impl AsRef<str>) {
        if !self.silent {
            self.marked("warning:", "33;1", line.as_ref());
        }
    }

    /// Why the command ends without success.
    pub fn failure(&self, failure: &Failure) {
        match failure {
            Failure::Elsewhere => {}
            Failure::Interrupted { .. } if self.silent => {}
            Failure::Interrupted { signal, message } => {
                let text = format!("({}) {message}", signal.name());
                self.marked("stopped:", "33;1", &text);
            }
            Failure::Error { message, hint } | Failure::Usage { message, hint } => {
                self.marked("error:", "31;1", message);
                if let Some(hint) = hint {
                    self.marked("hint:", "36;1", hint);
                }
            }
        }
    }

    /// Progress over `total` clips: a bar on a terminal, now and then a line elsewhere.
    pub fn progress(&self, what: &str, total: u64) -> Progress {
        let bar = if self.terminal {
            self.bars.add(ProgressBar::new(total))
        } else {
            ProgressBar::hidden()
        };
        // The template is a literal: an error in it would be found by the first run on a terminal,
        // so the default is a safe answer.
        let style = ProgressStyle::with_template(
            "{prefix} {wide_bar} {pos}/{len} clips {per_sec}, ETA {eta}  {msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key(
            "per_sec",
            |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.0} clips/s", state.per_sec());
            },
        );
        bar.set_style(style);
        bar.set_prefix(what.to_owned());
        let now = Instant::now();
        Progress {
            printer: self.clone(),
            bar,
            what: what.to_owned(),
            total,
            done: 0,
            started: now,
            spoken: now,
        }
    }

    /// A writer for log lines that does not tear the progress bar.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter {
            printer: self.clone(),
            line: Vec::new(),
        }
    }

    fn stderr(&self, line: &str) {
        // Where stderr is closed there is nobody to tell.
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{}", message(line));
        });
    }

    /// `error: message` and its like, the first word in colour.
    fn marked(&self, word: &str, code: &str, text: &str) {
        let mark = if self.colour {
            format!("\x1b[{code}m{word}\x1b[0m")
        } else {
            word.to_owned()
        };
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{mark} {}", message(text));
        });
    }
}

/// Whether the locale is of UTF-8, and the terminal one that has a font for it: the console of Linux lacks most blocks.
fn shows_unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    if cfg!(windows) {
        return true;
    }
    if variable("TERM").is_some_and(|terminal| ["linux", "dumb"].contains(&terminal.as_str())) {
        return false;
    }
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set);
    let locale = locale.unwrap_or_default().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// A few lines at the end of a terminal.
#[derive(Debug)]
pub struct Panel {
    bar: ProgressBar,
}

impl Panel {
    /// Shows these in place of the lines before.
    pub fn show(&self, lines: &[String]) {
        self.bar.set_message(message(&lines.join("\n")));
        self.bar.tick();
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How far a long job is.
#[derive(Debug)]
pub struct Progress {
    printer: Printer,
    bar: ProgressBar,
    what: String,
    total: u64,
    done: u64,
    started: Instant,
    spoken: Instant,
}

impl Progress {
    /// `clips` more are done.
    pub fn advance(&mut self, clips: u64) {
        self.done += clips;
        self.bar.inc(clips);
        if !self.printer.terminal && self.spoken.elapsed() >= PLAIN_INTERVAL {
            self.spoken = Instant::now();
            self.printer.say(format!(
                "{} {}",
                self.what,
                pace(self.done, self.total, self.started.elapsed())
            ));
        }
    }

    /// A few words beside the bar, such as the current loss.
    pub fn note(&self, text: String) {
        self.bar.set_message(text);
    }

    /// `, ETA 1:20`, and nothing at the end.
    pub fn left(&self) -> String {
        if self.done == 0 || self.done >= self.total {
            return String::new();
        }
        let left = seconds_left(self.done, self.total, self.started.elapsed());
        format!(", ETA {}", clock(left))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `1200/4000 clips, 310 clips/s, ETA 0:09`
fn pace(done: u64, total: u64, elapsed: Duration) -> String {
    let speed = done as f64 / elapsed.as_secs_f64().max(1e-3);
    let left = clock(seconds_left(done, total, elapsed));
    format!("{done}/{total} clips, {speed:.0} clips/s, ETA {left}")
}

/// Seconds that the rest takes at the pace so far; none where there is no pace yet.
fn seconds_left(done: u64, total: u64, elapsed: Duration) -> f64 {
    let each = elapsed.as_secs_f64().max(1e-3) / done.max(1) as f64;
    match done {
        0 => 0.0,
        _ => total.saturating_sub(done) as f64 * each,
    }
}

/// Seconds as `m:ss`, or `h:mm:ss` from an hour on.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Collects a log line and hands it to the printer whole.
#[derive(Debug)]
pub struct LogWriter {
    printer: Printer,
    line: Vec<u8>,
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            let text = String::from_utf8_lossy(&self.line).trim_end().to_owned();
            self.line.clear();
            self.printer.stderr(&text);
        }
        Ok(())
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_for_terminals_that_show_them() {
        let shows = |variables: &[(&str, &str)]| {
            shows_unicode(|name| {
                let found = variables.iter().find(|(other, _)| *other == name)?;
                Some(found.1.to_owned())
            })
        };
        if cfg!(windows) {
            return;
        }
        assert!(shows(&[("LANG", "de_DE.UTF-8")]));
        assert!(shows(&[("LANG", "C"), ("LC_ALL", "C.utf8")]));
        assert!(shows(&[
            ("LC_ALL", ""),
            ("LC_CTYPE", "en_GB.UTF-8"),
            ("LANG", "C")
        ]));
        assert!(!shows(&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]));
        assert!(!shows(&[("LANG", "en_GB.UTF-8"), ("TERM", "linux")]));
        assert!(!shows(&[]));
    }

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(clock(9.4), "0:09");
        assert_eq!(clock(61.0), "1:01");
        assert_eq!(clock(3_725.0), "1:02:05");
    }

    #[test]
    fn the_pace_extrapolates_what_is_left() {
        assert_eq!(
            pace(100, 400, Duration::from_secs(10)),
            "100/400 clips, 10 clips/s, ETA 0:30"
        );
        assert_eq!(
            pace(0, 400, Duration::ZERO),
            "0/400 clips, 0 clips/s, ETA 0:00"
        );
    }
}
