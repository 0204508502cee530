//! `ssl predict --stream` on frames of two people: how much of a core and how long after a frame at 30 frames a second, and
//! whether an hour of frames, as fast as they are taken, makes it grow. Linux tells what a process took.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::{facts, facts_of_now};
use crate::process::{Failure, run};
use crate::workspace::Workspace;

/// Frames a second.
const RATE: f64 = 30.0;
/// Frames of an hour.
const HOUR: u64 = 108_000;
/// How often the memory is looked at in that hour.
const LOOKS: u64 = 6;
/// Frames before the first answer and the first look: what is made once is there then.
const START: u64 = 128;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct StreamOptions {
    /// A run of `ssl finetune` for 17 joints of two coordinates [default: one of the preset `default`, made for this].
    #[arg(long, value_name = "RUN")]
    pub model: Option<PathBuf>,
    /// Seconds of frames at 30 a second.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(6..))]
    pub seconds: u32,
    /// How many frames there are from one answer to the next.
    #[arg(long, value_name = "FRAMES", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub hop: u32,
}

/// Measures, and prints one JSON document.
pub fn bench(workspace: &Workspace, options: &StreamOptions) -> Result<(), Failure> {
    run(workspace.build("build")?.args(["--package", "ssl-cli"]))?;
    let ssl = workspace.program("ssl");
    let model = match &options.model {
        Some(model) => model.clone(),
        None => model(workspace, &ssl)?,
    };
    let before = facts_of_now(workspace.root());
    let paced = paced(&ssl, &model, options)?;
    let hour = hour(&ssl, &model, options)?;
    let facts = facts(&"python3".into(), None);
    let facts: serde_json::Map<String, Value> = facts
        .into_iter()
        .chain(before)
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let found = json!({"machine": facts, "at_30_a_second": paced, "an_hour_at_once": hour});
    let text = serde_json::to_string_pretty(&found);
    println!("{}", text.map_err(|e| Failure::Task(e.to_string()))?);
    Ok(())
}

/// A classifier of the default shape, trained for as good as nothing.
fn model(workspace: &Workspace, ssl: &Path) -> Result<PathBuf, Failure> {
    let folder = workspace.target().join("ssl");
    let (cache, out) = (folder.join("stream.h5"), folder.join("stream"));
    if out.join("model.safetensors").is_file() {
        return Ok(out);
    }
    std::fs::create_dir_all(&folder).map_err(crate::process::cannot("make", &folder))?;
    let mut prepare = Command::new(ssl);
    prepare.args(["prepare", "--dataset", "synthetic", "--overwrite", "-o"]);
    run(prepare.arg(&cache))?;
    let mut finetune = Command::new(ssl);
    finetune.args(["finetune", "--preset", "default", "--train", "val"]);
    finetune.args(["--set", "finetune.epochs=1", "--set", "reading.frames=64"]);
    finetune.arg("--data");
    run(finetune.arg(&cache).arg("--out").arg(&out))?;
    Ok(out)
}

/// The program, waiting for frames.
struct Running {
    child: Child,
    frames: ChildStdin,
    /// Each answer, and when it came.
    answers: Receiver<(Instant, Value)>,
}

impl Running {
    fn start(ssl: &Path, model: &Path, hop: u32) -> Result<Running, Failure> {
        let mut command = Command::new(ssl);
        command.arg("predict").arg(model);
        command.args(["--stream", "--json", "--window", "64", "--top", "1", "-q"]);
        command.args(["--hop", &hop.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let failed = |e: std::io::Error| Failure::Task(format!("starting {}: {e}", ssl.display()));
        let mut child = command.spawn().map_err(failed)?;
        let (Some(frames), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::Task("the program has no pipes".to_owned()));
        };
        let (send, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let parsed = serde_json::from_str(&line).unwrap_or(Value::Null);
                if send.send((Instant::now(), parsed)).is_err() {
                    return;
                }
            }
        });
        Ok(Running {
            child,
            frames,
            answers,
        })
    }

    fn put(&mut self, number: u64) -> Result<Instant, Failure> {
        let line = frame(number);
        let failed = |e: std::io::Error| Failure::Task(format!("the program took no frame: {e}"));
        let at = Instant::now();
        self.frames.write_all(line.as_bytes()).map_err(failed)?;
        self.frames.flush().map_err(failed)?;
        Ok(at)
    }

    /// Seconds of processor time so far.
    fn processor(&self) -> Result<f64, Failure> {
        let stat = self.proc("stat")?;
        // The name, in parentheses, may hold anything.
        let rest = stat.rsplit(')').next().unwrap_or_default();
        let ticks = rest.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(ticks / 100.0)
    }

    /// Kilobytes of memory: now, and the most so far.
    fn memory(&self) -> Result<(u64, u64), Failure> {
        let status = self.proc("status")?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let number = line.and_then(|line| line.split_whitespace().nth(1));
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        Ok((field("VmRSS:"), field("VmHWM:")))
    }

    fn proc(&self, name: &str) -> Result<String, Failure> {
        let path = PathBuf::from(format!("/proc/{}/{name}", self.child.id()));
        std::fs::read_to_string(&path).map_err(crate::process::cannot("read", &path))
    }

    fn end(self) -> Result<Vec<(Instant, Value)>, Failure> {
        let Running {
            mut child,
            frames,
            answers,
        } = self;
        drop(frames);
        let ended = child.wait().map_err(|e| Failure::Task(e.to_string()))?;
        if !ended.success() {
            return Err(Failure::Task(format!("the program ended with {ended}")));
        }
        Ok(answers.iter().collect())
    }
}

/// Two people who wave, as a line.
fn frame(number: u64) -> String {
    let t = number as f64 / RATE;
    let person = |id: usize| {
        let joint = |joint: usize| {
            let swing = 40.0 * f64::sin(t * (1.0 + joint as f64 / 4.0) + id as f64);
            let x = 300.0 * (id + 1) as f64 + 11.0 * (joint % 5) as f64 + swing;
            json!([x, 200.0 + 25.0 * joint as f64 - swing, 0.9])
        };
        json!({"id": id, "keypoints": (0..17).map(joint).collect::<Vec<_>>()})
    };
    format!("{}\n", json!({"time": t, "people": [person(0), person(1)]}))
}

fn paced(ssl: &Path, model: &Path, options: &StreamOptions) -> Result<Value, Failure> {
    let mut running = Running::start(ssl, model, options.hop)?;
    let total = (f64::from(options.seconds) * RATE) as u64 + START;
    let mut written = Vec::new();
    for number in 0..START {
        written.push(running.put(number)?);
    }
    std::thread::sleep(Duration::from_millis(500));
    let (began, cpu) = (Instant::now(), running.processor()?);
    for number in START..total {
        let due = began + Duration::from_secs_f64((number - START) as f64 / RATE);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        written.push(running.put(number)?);
    }
    let elapsed = began.elapsed().as_secs_f64();
    let spent = running.processor()? - cpu;
    let answers = running.end()?;
    let (mut outside, mut inside) = (Vec::new(), Vec::new());
    for (came, answer) in &answers {
        let frame = answer["frame"].as_u64().unwrap_or(0);
        let (Some(at), true) = (written.get(frame.saturating_sub(1) as usize), frame > START)
        else {
            continue;
        };
        outside.push(came.duration_since(*at).as_secs_f64() * 1e3);
        inside.extend(answer["ms"].as_f64());
    }
    let percentiles = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times.get((share * (times.len().max(1) - 1) as f64) as usize);
        json!({"median": at(0.5), "95 of 100": at(0.95), "most": at(1.0)})
    };
    Ok(json!({
        "people": 2,
        "window": 64,
        "hop": options.hop,
        "answers": outside.len(),
        "share_of_a_core": spent / elapsed,
        "ms_from_frame_to_answer": percentiles(&mut outside),
        "ms_as_the_program_says": percentiles(&mut inside),
    }))
}

fn hour(ssl: &Path, model: &Path, options: &StreamOptions) -> Result<Value, Failure> {
    let mut running = Running::start(ssl, model, options.hop)?;
    let began = Instant::now();
    let mut resident = Vec::new();
    for number in 0..HOUR {
        running.put(number)?;
        if (number + 1) % (HOUR / LOOKS) == 0 {
            resident.push(running.memory()?.0);
        }
    }
    let most = running.memory()?.1;
    let answers = running.end()?.len();
    Ok(json!({
        "frames": HOUR,
        "answers": answers,
        "seconds": began.elapsed().as_secs_f64(),
        "kilobytes_every_ten_minutes": resident,
        "kilobytes_at_most": most,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_line_of_two_people() {
        let line = frame(3);
        assert_eq!(line.matches('\n').count(), 1);
        let parsed: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(parsed["time"], 0.1);
        assert_eq!(parsed["people"][1]["keypoints"][16][2], 0.9);
    }
}
