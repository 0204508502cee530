//! Going on with the run that is in a folder: only as the run it was.

use std::fs;
use std::path::{Path, PathBuf};

use super::info::Continued;
use super::states::{self, States};
use super::{
    CONFIG, Epoch, INFO, Info, Lines, Lock, METRICS, NON_FINITE, Own, Run, TIMINGS,
    remove_unfinished,
};
use crate::args::RunArgs;
use crate::checkpoint::{self, Kind, Meta, State, write_json};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::text::read_json;

/// A run that was found in its folder, which is locked from here on.
#[derive(Debug)]
pub struct Resumed {
    folder: PathBuf,
    lock: Lock,
    state: Option<State>,
}

impl Resumed {
    /// The run in `--out`, if `--resume` asks for it and there is one.
    pub fn find(args: &RunArgs, kind: Kind, printer: &Printer) -> Outcome<Option<Resumed>> {
        let folder = &args.out;
        let names = states::names(folder)?;
        let has = |name: &str| names.iter().any(|other| other == name);
        if !args.resume || !(has(CONFIG) || has(states::FOLDER)) {
            return Ok(None);
        }
        let lock = Lock::take(folder)?;
        let state = States::of(folder, usize::from(args.keep)).newest(printer)?;
        if state.is_none() && has(checkpoint::FILE) {
            return Err(Failure::error(format!(
                "{}: expected a state to go on from in {}, found none",
                folder.display(),
                states::FOLDER
            ))
            .hint("this run can't go on: keep it and choose another --out, or replace it with --overwrite"));
        }
        if let Some(state) = &state {
            expect(folder, state.meta.kind, kind)?;
        }
        let folder = folder.clone();
        Ok(Some(Resumed {
            folder,
            lock,
            state,
        }))
    }

    /// The settings the run was started with.
    pub fn config(&self) -> PathBuf {
        self.folder.join(CONFIG)
    }

    /// Opens the run again. `now` is what this process would train, which must be what the run trains.
    pub fn open(
        self,
        args: &RunArgs,
        config: &str,
        info: &Info,
        now: impl FnOnce(usize) -> Outcome<Meta>,
        printer: &Printer,
    ) -> Outcome<(Run, Option<State>)> {
        let Some(state) = self.state else {
            // It was killed before it saved anything.
            return Ok((Run::begin(args, self.lock, config, info)?, None));
        };
        let now = now(state.meta.epoch)?;
        same(&self.folder, &state.meta, &now)?;
        let asked = args.machine.device.is_some();
        other_device(&self.folder, &state.meta, &now, asked, printer)?;
        record(&self.folder, &state, info, printer)?;
        remove_unfinished(&self.folder)?;
        remove_unfinished(&self.folder.join(states::FOLDER))?;
        states::remove(&self.folder.join(NON_FINITE))?;
        let timings = timings(&self.folder.join(TIMINGS), state.meta.epoch);
        let own = Own {
            metrics: Lines::rewrite(self.folder.join(METRICS), state.metrics.clone())?,
            timings: Lines::rewrite(self.folder.join(TIMINGS), timings)?,
            states: States::of(&self.folder, usize::from(args.keep)),
            _lock: self.lock,
        };
        let run = Run {
            folder: self.folder,
            own: Some(own),
        };
        Ok((run, Some(state)))
    }
}

/// Refuses the run of the other command before its settings are asked for.
fn expect(folder: &Path, run: Kind, now: Kind) -> Outcome {
    if run == now {
        return Ok(());
    }
    let (folder, run, now) = (folder.display(), run.name(), now.name());
    Err(Failure::error(format!(
        "{folder}: expected a run of `ssl {now}`, found one of `ssl {run}`"
    ))
    .hint(format!(
        "`ssl {run} --out {folder} --resume` goes on with it"
    )))
}

/// Refuses to go on with anything but what the run was, by the name of what differs.
fn same(folder: &Path, run: &Meta, now: &Meta) -> Outcome {
    let differ = |what: &str, run: &str, now: &str| {
        let folder = folder.display();
        Err(Failure::error(format!(
            "{folder} can't go on: another {what}: the run has {run}, now it is {now}"
        ))
        .hint("go on with what the run was started with, or start another: --out, or --overwrite"))
    };
    if run.layout != now.layout {
        return differ("layout", &first_line(&run.layout), &first_line(&now.layout));
    }
    if run.data != now.data || run.also != now.also {
        let text = |meta: &Meta| {
            let all = [&meta.data].into_iter().chain(&meta.also);
            let all = all.map(|data| format!("{} {}", data.dataset, data.digest));
            all.collect::<Vec<_>>().join(", ")
        };
        return differ("data (cache and its digest)", &text(run), &text(now));
    }
    if run.encoder != now.encoder {
        let text = |meta: &Meta| meta.encoder.clone().unwrap_or("none".into());
        return differ("encoder (SHA-256)", &text(run), &text(now));
    }
    let [run_table, now_table] = [run, now].map(|meta| without_device(meta).0);
    if let Some((key, run, now)) = difference("", &run_table, &now_table) {
        return differ(&format!("setting: {key}"), &run, &now);
    }
    let kind = |meta: &Meta| Meta {
        config: String::new(),
        ..meta.clone()
    };
    if kind(run) != kind(now) {
        let text = |meta: &Meta| format!("{:?}", (meta.units, meta.coordinates, &meta.classes));
        return differ("kind of clips", &text(run), &text(now));
    }
    Ok(())
}

/// A checkpoint's settings but for the device, and the device. Settings that are younger than the checkpoint have the values that
/// it was trained with: their defaults.
fn without_device(meta: &Meta) -> (toml::Table, String) {
    let full = Config::from_toml(&meta.config, "").and_then(|config| config.to_toml());
    let full = full.unwrap_or_else(|_| meta.config.clone());
    let mut table = full.parse::<toml::Table>().unwrap_or_default();
    let run = table.get_mut("run").and_then(toml::Value::as_table_mut);
    let device = run.and_then(|run| run.remove("device"));
    let device = device.and_then(|device| Some(device.as_str()?.to_owned()));
    (table, device.unwrap_or_default())
}

/// On another device a run goes on only where it was asked for, by `--device`.
fn other_device(folder: &Path, run: &Meta, now: &Meta, asked: bool, printer: &Printer) -> Outcome {
    let [run, now] = [run, now].map(|meta| without_device(meta).1);
    if run == now {
        return Ok(());
    }
    if !asked {
        let folder = folder.display();
        return Err(Failure::error(format!(
            "{folder} can't go on: another device: the run has {run}, now it is {now}"
        ))
        .hint(format!(
            "--device {run} goes on where it was, --device {now} here, with other last bits"
        )));
    }
    printer.warn(format!(
        "the run was on {run} and goes on with {now}: its bytes may differ from those of an uninterrupted run"
    ));
    Ok(())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The first key under `path` whose value differs, with both values.
fn difference(
    path: &str,
    run: &toml::Table,
    now: &toml::Table,
) -> Option<(String, String, String)> {
    run.keys().chain(now.keys()).find_map(|key| {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let text = |value: Option<&toml::Value>| value.map_or("none".into(), ToString::to_string);
        match (run.get(key), now.get(key)) {
            (Some(toml::Value::Table(run)), Some(toml::Value::Table(now))) => {
                difference(&path, run, now)
            }
            (run, now) if run == now => None,
            (run, now) => Some((path, text(run), text(now))),
        }
    })
}

/// Adds to run.json where the run went on, and by what.
fn record(folder: &Path, state: &State, info: &Info, printer: &Printer) -> Outcome {
    let path = folder.join(INFO);
    let mut run: Info = read_json(&path).unwrap_or_else(|_| info.clone());
    if run.instruction_set != info.instruction_set {
        printer.warn(format!(
            "the run was started with the instructions {:?}, here they are {}: its last bits may differ from those of an uninterrupted run",
            run.instruction_set, info.instruction_set
        ));
    }
    run.resumed.push(Continued {
        epoch: state.meta.epoch,
        step: state.progress.steps,
        device: info.device.clone(),
        commit: info.commit.clone(),
        threads: info.threads,
        ranks: info.ranks,
        instruction_set: info.instruction_set.clone(),
        version: info.versions.ssl.clone(),
    });
    write_json(&path, &run)
}

/// The whole lines of timings.jsonl of the first `epochs` epochs.
fn timings(path: &Path, epochs: usize) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut kept = String::new();
    for line in text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        if serde_json::from_str::<Epoch>(line).is_ok_and(|line| line.epoch <= epochs) {
            kept.push_str(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_differs_is_named_with_both_values() {
        let table = |text: &str| text.parse::<toml::Table>().unwrap();
        let run = table("[a]\nx = 1\n[a.b]\ny = 2.5\n");
        assert_eq!(difference("", &run, &run), None);
        for (now, expected) in [
            ("[a]\nx = 1\n[a.b]\ny = 3.5\n", ("a.b.y", "2.5", "3.5")),
            ("[a]\nx = 1\n", ("a.b", "{ y = 2.5 }", "none")),
            ("[a]\nx = 1\nz = 1\n[a.b]\ny = 2.5\n", ("a.z", "none", "1")),
        ] {
            let (key, run, now) = difference("", &run, &table(now)).unwrap();
            assert_eq!((key.as_str(), run.as_str(), now.as_str()), expected);
        }
    }

    #[test]
    fn a_run_goes_on_with_another_device_only_when_told_so() {
        let on = |device: &str| Meta {
            config: format!("[run]\nseed = 1\ndevice = \"{device}\"\n"),
            ..crate::checkpoint::tests::checkpoint().meta
        };
        let (run, now) = (on("cuda:0"), on("cpu"));
        let (folder, printer) = (Path::new("runs/x"), Printer::new(true));
        assert!(
            same(folder, &run, &now).is_ok(),
            "it is no setting that makes another run"
        );
        assert!(other_device(folder, &run, &run, false, &printer).is_ok());
        assert!(other_device(folder, &run, &now, true, &printer).is_ok());
        let refused = other_device(folder, &run, &now, false, &printer).unwrap_err();
        let (message, hint) = match &refused {
            Failure::Error {
                message,
                hint: Some(hint),
            } => (message, hint),
            other => panic!("{other:?}"),
        };
        assert!(
            message.contains("the run has cuda:0, now it is cpu"),
            "{message}"
        );
        assert!(
            hint.contains("--device cpu goes on") || hint.contains("--device cpu here"),
            "{hint}"
        );
        let mut other = on("cpu");
        other.config = other.config.replace("seed = 1", "seed = 2");
        let refused = same(folder, &run, &other).unwrap_err();
        refused.assert_says("run.seed");
    }

    #[test]
    fn torn_and_later_lines_of_timings_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TIMINGS);
        let lines = "{\"epoch\":1}\n{\"epoch\":2}\n{\"epoch\":3}\n{\"epo";
        fs::write(&path, lines).unwrap();
        assert_eq!(timings(&path, 2), "{\"epoch\":1}\n{\"epoch\":2}\n");
        assert_eq!(timings(&folder.path().join("none"), 2), "");
    }
}
