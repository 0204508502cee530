//! `cargo xtask reproduce TABLE`: a table or figure of the paper as one command, on whatever clips there are.
//!
//! The paper's numbers and what was different from cell to cell are data (`datasets/paper.toml`), how large a reproduction is
//! another (`xtask/reproduce/SCALE.toml`). `plan.rs` makes command lines of `ssl` from both, each named by a hash of everything its
//! result depends on; `pool.rs` runs those that are not there; `report` writes what came out beside what the paper says.

mod bars;
mod data;
mod estimate;
mod expected;
mod figures;
mod job;
mod numbers;
mod options;
mod plan;
mod pool;
mod rate;
mod report;
mod scale;
mod settings;
mod ssl;
mod stop;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::LazyLock;

use skeleton_datasets::paper::{Experiment, experiments, experiments_from_toml};

use crate::bench::machine;
use crate::process::Failure;
use crate::workspace::Workspace;
use data::Set;
use job::Folder;
use options::Options;
use plan::{Plan, Planner};
use pool::Made;
use rate::Batches;
use report::{Source, Table, spell};
use scale::{Scale, ScaleName};
use ssl::Ssl;
use stop::Stop;

/// All experiments: the paper's, then those it lacks.
fn known() -> Result<Vec<&'static Experiment>, Failure> {
    static OURS: LazyLock<Result<Vec<Experiment>, String>> = LazyLock::new(|| {
        let text = include_str!("../../reproduce/protocols.toml");
        experiments_from_toml("xtask/reproduce/protocols.toml", text)
            .map_err(|error| error.to_string())
    });
    let ours = OURS
        .as_ref()
        .map_err(|error| Failure::Task(error.clone()))?;
    Ok(experiments().iter().chain(ours).collect())
}

/// Makes what was typed.
pub fn reproduce(workspace: &Workspace, args: &[OsString]) -> Result<(), Failure> {
    let known = known()?;
    let options = Options::parse(args, &known)?;
    let scale = Scale::read(options.scale)?;
    if !options.wrong.is_empty() && options.scale != ScaleName::Ci {
        return Err(Failure::Usage(
            "--break is for tests of the scale ci".to_owned(),
        ));
    }
    let ssl = Ssl::provide(workspace)?;
    let default = || workspace.target().join("ssl").join("reproduce");
    let folder = Folder::at(options.out.clone().unwrap_or_else(default));
    let chosen: Vec<&'static Experiment> = options
        .experiments
        .iter()
        .filter_map(|id| known.iter().copied().find(|one| one.id == *id))
        .collect();
    let wanted = wanted(&scale, &chosen);
    let sets = data::sets(&ssl, &scale, &wanted, &options.data, &folder.data())?;
    if sets.is_empty() {
        return Err(Failure::Usage(format!(
            "this scale takes clips that you have: --data SET=FILE, of {}",
            data::given_sets(&scale)
        )));
    }
    let presets = presets(&ssl, &scale)?;
    let batches = Batches::new(options.batch, &presets)?;
    let seeds = options.seeds.clone().unwrap_or_else(|| scale.seeds.clone());
    // What moved between two builds is what `ci` is there to find; elsewhere runs of an earlier build are not thrown away,
    // and the tables name the commits they were made at.
    let program = match options.scale {
        ScaleName::Ci => &ssl.build,
        _ => &ssl.version,
    };
    let plan = plan(
        &Planner {
            scale: &scale,
            sets: &sets,
            seeds: &seeds,
            holdout: options.holdout,
            presets: &presets,
            batches: &batches,
            wrong: &options.wrong,
            program,
            folder: &folder,
        },
        &chosen,
    );
    refuse_empty(&plan)?;
    batches
        .words
        .iter()
        .for_each(|words| eprintln!("xtask: {words}"));
    if options.scale == ScaleName::Paper {
        let machine = estimate::Machine {
            ssl: &ssl,
            folder: &folder,
            sets: &sets,
            presets: &presets,
            workers: options.jobs,
        };
        estimate::say(&plan, &machine)?;
        if !options.yes {
            return Err(Failure::Usage(
                "nothing was started: say --yes to go on".to_owned(),
            ));
        }
    }
    let stop = Stop::install()?;
    let made = pool::run(&plan, &ssl, &folder, options.jobs, &stop)?;
    say_made(&made);
    let machine = machine::here();
    let command = command(&options, &seeds, &scale, &sets);
    let source = Source {
        scale: options.scale,
        description: &scale,
        seeds: &seeds,
        sets: &sets,
        folder: &folder,
        machine: &machine,
        remarks: &batches.words,
        command: &command,
    };
    let results = options.results.clone().unwrap_or_else(|| folder.results());
    let tables = write(&plan, &source, &ssl, &results, workspace)?;
    judge(&tables, &options, workspace)
}

/// The sets that stand for those of the experiments.
fn wanted<'a>(scale: &'a Scale, chosen: &[&Experiment]) -> Vec<&'a str> {
    let cells = chosen.iter().flat_map(|one| &one.cells);
    let clips = cells.flat_map(|cell| {
        let own = (cell.clips.set.as_str(), cell.clips.train.as_str());
        let other = cell.setup.pretrained_on.as_ref();
        std::iter::once(own).chain(other.map(|(set, train)| (set.as_str(), train.as_str())))
    });
    clips
        .filter_map(|(set, train)| Some(scale.stand_in(set, train)?.set.as_str()))
        .collect()
}

fn presets(ssl: &Ssl, scale: &Scale) -> Result<BTreeMap<String, String>, Failure> {
    let mut presets = BTreeMap::new();
    for set in &scale.sets {
        if !presets.contains_key(&set.preset) {
            presets.insert(set.preset.clone(), ssl.preset(&set.preset)?);
        }
    }
    Ok(presets)
}

fn plan(planner: &Planner<'_>, chosen: &[&'static Experiment]) -> Plan {
    let mut plan = Plan::default();
    chosen
        .iter()
        .for_each(|experiment| planner.add(experiment, &mut plan));
    plan
}

/// An experiment of which no cell can be made is refused with the reasons.
fn refuse_empty(plan: &Plan) -> Result<(), Failure> {
    let all = plan.experiments.len();
    for planned in &plan.experiments {
        let mut whys: Vec<&str> = Vec::new();
        for cell in &planned.cells {
            match &cell.runs {
                Ok(_) => whys.clear(),
                Err(why) if whys.contains(&why.as_str()) => {}
                Err(why) => whys.push(why),
            }
            if cell.runs.is_ok() {
                break;
            }
        }
        if whys.is_empty() {
            continue;
        }
        let words = format!(
            "{} can't be made here: {}",
            planned.experiment.title,
            whys.join("; ")
        );
        match all {
            1 => return Err(Failure::Usage(words)),
            _ => eprintln!("xtask: {words}"),
        }
    }
    Ok(())
}

fn say_made(made: &Made) {
    eprintln!(
        "xtask: {} runs made, {} were there already, {}",
        made.now,
        made.before,
        spell(made.seconds)
    );
}

/// The command that makes the same tables, without this machine's folders.
fn command(options: &Options, seeds: &[u64], scale: &Scale, sets: &[Set]) -> String {
    let mut words = vec!["cargo xtask reproduce".to_owned()];
    words.extend(options.experiments.iter().cloned());
    words.push(format!("--scale {}", options.scale.name()));
    for set in sets
        .iter()
        .filter(|set| scale.set(&set.name).is_some_and(|one| one.made.is_none()))
    {
        words.push(format!("--data {0}={0}.h5", set.name));
    }
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    words.push(format!("--seeds {}", seeds.join(",")));
    if let Some(share) = options.holdout {
        words.push(format!("--holdout {share}"));
    }
    if let Some((pretrain, finetune)) = options.batch {
        let finetune = finetune.map_or(String::new(), |batch| format!(",{batch}"));
        words.push(format!("--batch {pretrain}{finetune}"));
    }
    words.extend(options.wrong.iter().map(|set| format!("--break {set}")));
    words.join(" ")
}

fn write<'a>(
    plan: &'a Plan,
    source: &'a Source<'_>,
    ssl: &Ssl,
    results: &Path,
    workspace: &Workspace,
) -> Result<Vec<Table<'a>>, Failure> {
    let mut tables = Vec::new();
    for planned in &plan.experiments {
        let mut table = Table::collect(planned, source)?;
        figures::draw(&mut table, ssl, source.sets, source.folder, results)?;
        let path = table.write(results)?;
        println!("{}", workspace.shown(&path).display());
        tables.push(table);
    }
    Ok(tables)
}

/// At the scale `ci` numbers have to be in their ranges.
fn judge(tables: &[Table<'_>], options: &Options, workspace: &Workspace) -> Result<(), Failure> {
    if options.scale != ScaleName::Ci {
        return Ok(());
    }
    if options.record {
        let path = expected::path(workspace.root());
        eprintln!(
            "xtask: ranges stored in {}",
            workspace.shown(&path).display()
        );
        return job::write_whole(&path, expected::record(tables).as_bytes());
    }
    expected::check(tables)
}
