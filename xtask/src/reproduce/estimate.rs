//! What the runs will cost, from a few seconds of measuring on this machine.

use std::process::Stdio;

use super::data::Set;
use super::job::{Folder, Job};
use super::numbers::json;
use super::plan::Plan;
use super::report::spell;
use super::ssl::Ssl;
use crate::process::{Failure, run};

/// Rows (a joint of a person in a frame) a second of one thread.
struct Speed {
    pretrain: f64,
    finetune: f64,
}

/// What is needed beside the plan.
pub struct Machine<'a> {
    pub ssl: &'a Ssl,
    pub folder: &'a Folder,
    pub sets: &'a [Set],
    pub presets: &'a std::collections::BTreeMap<String, String>,
    pub workers: usize,
}

/// Says how long the plan's unfinished runs take. Measured with GIN on synthetic clips at the paper's width and frames; other
/// depths by their share of the work, other backbones taken to cost the same.
pub fn say(plan: &Plan, machine: &Machine<'_>) -> Result<(), Failure> {
    let missing: Vec<&Job> = plan
        .jobs
        .values()
        .filter(|job| machine.folder.done(&job.name).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: measuring this machine's speed, half a minute");
    let speed = measure(machine)?;
    let costs: Vec<f64> = missing
        .iter()
        .filter_map(|job| cost(job, &speed, machine))
        .collect();
    let all: f64 = costs.iter().sum();
    let longest = costs.iter().copied().fold(0.0, f64::max);
    let wall = (all / machine.workers as f64).max(longest);
    eprintln!(
        "xtask: an estimate: {} runs, {} of one core; with {} at once {}. One thread does {:.0} thousand rows (a joint in a frame) a second in pre-training, {:.0} in fine-tuning, as busy as the machine is now",
        missing.len(),
        spell(all),
        machine.workers,
        spell(wall),
        speed.pretrain / 1e3,
        speed.finetune / 1e3
    );
    Ok(())
}

fn measure(machine: &Machine<'_>) -> Result<Speed, Failure> {
    let cache = machine.folder.data().join("speed.h5");
    if !cache.exists() {
        let mut command =
            machine
                .ssl
                .command(["prepare", "--dataset", "synthetic", "--quiet", "-o"]);
        run(command.arg(&cache).stdout(Stdio::null()))?;
    }
    let facts = machine.ssl.inspect(&cache)?;
    let clips = facts.splits.get("val").copied().unwrap_or(0) as f64;
    let rows = clips * tracks(&facts.tracks) * facts.joints as f64 * 64.0;
    let one = |kind: &str, split: &str| {
        let out = machine.folder.data().join(format!("speed-{kind}"));
        let mut command = machine.ssl.command([
            kind,
            "--preset",
            "paper",
            split,
            "val",
            "--threads",
            "1",
            "--quiet",
            "--overwrite",
        ]);
        command.arg("--data").arg(&cache).arg("--out").arg(&out);
        for set in ["epochs=1", "batch=32", "micro_batch=32"] {
            command.args(["--set", &format!("{kind}.{set}")]);
        }
        run(command.stdout(Stdio::null()))?;
        let seconds = json(&out.join("timings.jsonl"))?;
        let seconds = seconds
            .get("train_seconds")
            .and_then(serde_json::Value::as_f64);
        let seconds = seconds.filter(|&seconds| seconds > 0.0);
        seconds
            .map(|seconds| rows / seconds)
            .ok_or_else(|| Failure::Task(format!("no time in {}", out.display())))
    };
    Ok(Speed {
        pretrain: one("pretrain", "--split")?,
        finetune: one("finetune", "--train")?,
    })
}

/// People a clip.
fn tracks(counts: &std::collections::BTreeMap<u32, usize>) -> f64 {
    let clips: usize = counts.values().sum();
    let people: f64 = counts
        .iter()
        .map(|(&people, &clips)| f64::from(people) * clips as f64)
        .sum();
    people / clips.max(1) as f64
}

/// Seconds of one thread; none for what costs next to nothing.
fn cost(job: &Job, speed: &Speed, machine: &Machine<'_>) -> Option<f64> {
    let set = machine.sets.iter().find(|set| set.name == job.clips.0)?;
    let kind = job.args.first()?;
    let value = |key: &str| setting(job, key, machine);
    let clips = *set.facts.splits.get(&job.clips.1)? as f64;
    let share = if job.args.iter().any(|arg| arg == "--labels") {
        0.1
    } else {
        1.0
    };
    let rows = share
        * clips
        * tracks(&set.facts.tracks)
        * set.facts.joints as f64
        * value("reading.frames")?;
    let (encoder, layers) = (value("model.encoder_layers")?, value("model.strl.layers")?);
    match kind.as_str() {
        // The decoder is one layer more.
        "pretrain" => {
            Some(rows * value("pretrain.epochs")? * (encoder + 1.0) / 4.0 / speed.pretrain)
        }
        "finetune" => {
            let work = (0.4 + 0.6 * encoder / 3.0) * frames_of(layers) / frames_of(3.0);
            Some(rows * value("finetune.epochs")? * work / speed.finetune)
        }
        _ => None,
    }
}

/// Frames that M layers see, in frames of the first: from the second on each halves them.
fn frames_of(layers: f64) -> f64 {
    (0..layers as usize)
        .map(|layer| 0.5f64.powi(i32::try_from(layer).unwrap_or(0).max(1) - 1))
        .sum()
}

/// A number of the run: from its command, else from its preset.
fn setting(job: &Job, key: &str, machine: &Machine<'_>) -> Option<f64> {
    let given = job
        .args
        .iter()
        .rev()
        .find_map(|arg| arg.strip_prefix(key)?.strip_prefix('='));
    if let Some(number) = given {
        return number.parse().ok();
    }
    let preset = job.args.iter().position(|arg| arg == "--preset")?;
    let table: toml::Table =
        toml::from_str(machine.presets.get(job.args.get(preset + 1)?)?).ok()?;
    let root = toml::Value::Table(table);
    let value = key
        .split('.')
        .try_fold(&root, |value, key| value.get(key))?;
    value
        .as_float()
        .or_else(|| value.as_integer().map(|n| n as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_layers_see_fewer_frames() {
        assert_eq!([1.0, 2.0, 3.0, 4.0].map(frames_of), [1.0, 2.0, 2.5, 2.75]);
        let counts = std::collections::BTreeMap::from([(1, 3), (2, 1)]);
        assert_eq!(tracks(&counts), 1.25);
    }
}
