//! `ssl predict --stream`: frames as they come, answers every hop.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use serde::Serialize;
use skeleton_data::live::{
    self, Due, Header, LONGEST_LINE, Line, Restart, Settings, Span, Step, Window,
};
use strl::Predictor;

use crate::args::{PredictArgs, StreamArgs};
use crate::failure::{Failure, Outcome};
use crate::models::Opened;
use crate::printer::Printer;
use crate::report::{Guess, Prediction};
use crate::signal::{Interrupt, Stopped};

/// Lines that are read ahead of the model.
const AHEAD: usize = 64;

/// Answers frames until they end.
pub fn run(
    args: &PredictArgs,
    opened: &Opened,
    name: &Path,
    input: impl Read + Send + 'static,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Outcome {
    let numbers = &args.numbers;
    if numbers.columns.is_some() || !numbers.missing.is_empty() {
        let message = "--columns and --missing are for files of clips: a frame's joint is its coordinates, perhaps with a score";
        return Err(Failure::usage(message).hint("a joint that was not seen is null"));
    }
    let machine = args.compute.machine.start(printer)?;
    let predictor = opened.predictor(args.compute.clips, &machine)?;
    let shape = (opened.layout.len(), predictor.meta().coordinates);
    let mut scene = Scene {
        args,
        opened,
        printer,
        window: Window::new(settings(&args.frames, predictor.reading().frames), shape)?,
        predictor,
        before: BTreeMap::new(),
    };
    // A thread of its own waits for lines, so that this one sees signals. It ends with the program.
    let (send, lines) = sync_channel(AHEAD);
    std::thread::spawn(move || read_lines(BufReader::new(input), &send));
    let stopped = |Stopped(signal)| Failure::interrupted(signal, "the frames so far were answered");
    while let Some(read) = interrupt.wait(&lines).map_err(stopped)? {
        if scene.line(name, shape, read)?.is_break() {
            return Ok(());
        }
    }
    let last = scene.window.end();
    scene.answers(last, Instant::now()).map(|_| ())
}

/// What was typed, and what follows from it.
fn settings(typed: &StreamArgs, frames: usize) -> Settings {
    let window = typed.window.unwrap_or(Span::Frames(frames));
    Settings {
        window,
        hop: typed.hop.unwrap_or(match window {
            Span::Frames(frames) => Span::Frames((frames / 4).max(1)),
            Span::Seconds(seconds) => Span::Seconds(seconds / 4.0),
        }),
        gap: typed.gap,
        rate: typed.fps,
    }
}

/// A line as it was read.
struct RawLine {
    number: u64,
    at: Instant,
    /// None of a line that is too long.
    text: std::io::Result<Option<Vec<u8>>>,
}

/// Sends lines that aren't empty, until the end or the first error.
fn read_lines(mut input: impl BufRead, send: &SyncSender<RawLine>) {
    for number in 1.. {
        let mut line = Vec::new();
        let text = match next_line(&mut input, &mut line) {
            Ok(None) => return,
            Ok(Some(true)) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(Some(whole)) => Ok(whole.then_some(line)),
            Err(error) => Err(error),
        };
        let (failed, at) = (text.is_err(), Instant::now());
        if send.send(RawLine { number, at, text }).is_err() || failed {
            return;
        }
    }
}

/// Reads a line without its end, or says that it was longer than any; none at the end of the input.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<Option<bool>> {
    let mut part = |line: &mut Vec<u8>| {
        let most = LONGEST_LINE as u64 + 1;
        input.by_ref().take(most).read_until(b'\n', line)
    };
    if part(line)? == 0 {
        return Ok(None);
    }
    let mut whole = true;
    while line.len() > LONGEST_LINE && line.last() != Some(&b'\n') {
        whole = false;
        line.clear();
        if part(line)? == 0 {
            break;
        }
    }
    Ok(Some(whole))
}

/// The stream and what answers it.
struct Scene<'a> {
    args: &'a PredictArgs,
    opened: &'a Opened,
    printer: &'a Printer,
    predictor: Predictor,
    window: Window,
    /// The answer before, of all people or of each.
    before: BTreeMap<String, Vec<f64>>,
}

/// A line of the output.
#[derive(Debug, Serialize)]
struct Answer {
    /// Seconds, of the window's last frame.
    time: f64,
    /// Its number, counted from 1.
    frame: u64,
    /// Frames of the window.
    frames: usize,
    people: Vec<String>,
    /// None where nobody is seen.
    top: Option<Vec<Guess>>,
    /// Whether the likeliest class reaches the threshold.
    sure: bool,
    /// Milliseconds from the line of the last frame to this one.
    ms: f64,
}

impl Answer {
    fn text(&self) -> String {
        let people = match self.people.is_empty() {
            true => "-".to_owned(),
            false => self.people.join(","),
        };
        let classes = match &self.top {
            None => "-".to_owned(),
            Some(top) => {
                let each = top
                    .iter()
                    .map(|guess| format!("{} {:.3}", guess.name, guess.p));
                let each = each.collect::<Vec<_>>().join(", ");
                let unsure = if self.sure { "" } else { "unsure: " };
                format!("{unsure}{each}")
            }
        };
        format!("{:.3}\t{people}\t{classes}\t{:.1} ms", self.time, self.ms)
    }
}

impl Scene<'_> {
    /// Takes a line.
    fn line(
        &mut self,
        name: &Path,
        shape: (usize, usize),
        read: RawLine,
    ) -> Outcome<ControlFlow<()>> {
        let text = read.text.map_err(Failure::io(name))?;
        let parsed = match text {
            Some(text) => Line::parse(&text, shape, name, read.number),
            None => Err(live::too_long(name, read.number)),
        };
        match parsed {
            Ok(Line::Header(header)) => self.header(name, &header),
            Ok(Line::Frame(frame)) => {
                let step = self.window.push(frame);
                self.step(step, read.at)
            }
            Err(error) if self.args.skip_bad => {
                self.printer.warn(format!("left out: {error}"));
                Ok(ControlFlow::Continue(()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses frames of another skeleton.
    fn header(&self, name: &Path, header: &Header) -> Outcome<ControlFlow<()>> {
        let ours = self.opened.layout.name();
        match &header.layout {
            Some(theirs) if theirs != ours => {
                let (name, model) = (name.display(), self.opened.origin.path.display());
                let message =
                    format!("{name} doesn't fit {model}: layout: expected {ours}, found {theirs}");
                Err(Failure::error(message)
                    .hint("a model reads frames in the layout it was trained on"))
            }
            _ => Ok(ControlFlow::Continue(())),
        }
    }

    fn step(&mut self, step: Step, at: Instant) -> Outcome<ControlFlow<()>> {
        if self.answers(step.ended, at)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(restart) = step.restart {
            self.before.clear();
            let why = match restart {
                Restart::Gap(seconds) => format!("{seconds:.2} s without a frame"),
                Restart::Back(seconds) => format!("a frame from {seconds:.2} s before"),
                Restart::Size((height, width)) => format!("images of {width} x {height} now"),
            };
            self.printer.say(format!("{why}: the window begins anew"));
        }
        self.answers(step.due, at)
    }

    /// Answers a clip, for all its people or for each.
    fn answers(&mut self, due: Option<Due>, at: Instant) -> Outcome<ControlFlow<()>> {
        let Some(due) = due else {
            return Ok(ControlFlow::Continue(()));
        };
        let each = match self.args.frames.apart && !due.people.is_empty() {
            true => due.apart(),
            false => vec![due],
        };
        let mut after = BTreeMap::new();
        for due in each {
            let key = match self.args.frames.apart {
                true => due.people.concat(),
                false => String::new(),
            };
            let answer = self.answer(due, &key, at, &mut after)?;
            let text = match self.args.json {
                true => serde_json::to_string(&answer)?,
                false => answer.text(),
            };
            if self.printer.answer(&text)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        // Smoothing begins anew for people who come back: only those of this clip have probabilities to smooth with.
        self.before = after;
        Ok(ControlFlow::Continue(()))
    }

    fn answer(
        &self,
        due: Due,
        key: &str,
        at: Instant,
        after: &mut BTreeMap<String, Vec<f64>>,
    ) -> Outcome<Answer> {
        let (typed, classes) = (&self.args.frames, &self.opened.checkpoint.meta.classes);
        let mut probabilities = self.predictor.predict(&due.clip.view())?;
        if let (Some(now), Some(before)) = (&mut probabilities, self.before.get(key)) {
            for (now, before) in now.iter_mut().zip(before) {
                *now = typed.smooth * before + (1.0 - typed.smooth) * *now;
            }
        }
        let top = probabilities.as_ref().and_then(|probabilities| {
            let most = usize::from(self.args.top);
            Prediction::new(String::new(), probabilities, classes, most).top
        });
        let sure = match &top {
            Some(top) => top.first().is_some_and(|guess| guess.p >= typed.threshold),
            None => false,
        };
        after.extend(probabilities.map(|probabilities| (key.to_owned(), probabilities)));
        let rounded = |x: f64, to: f64| (x * to).round() / to;
        Ok(Answer {
            time: rounded(due.time, 1e6),
            frame: due.frame,
            frames: due.clip.frames,
            people: due.people,
            top,
            sure,
            ms: rounded(at.elapsed().as_secs_f64() * 1e3, 1e3),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_is_not_held() {
        let long = vec![b'x'; 3 * LONGEST_LINE];
        let text = [b"one\n\n", &long[..], b"\ntwo"].concat();
        let (send, lines) = sync_channel(8);
        read_lines(&text[..], &send);
        drop(send);
        let read: Vec<(u64, Option<Vec<u8>>)> = lines
            .iter()
            .map(|read| (read.number, read.text.unwrap()))
            .collect();
        let expected = [
            (1, Some(b"one\n".to_vec())),
            (3, None),
            (4, Some(b"two".to_vec())),
        ];
        assert_eq!(read, expected);
    }
}
