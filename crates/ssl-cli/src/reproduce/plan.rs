//! Which runs the cells need. Cells that need the same run share it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use skeleton_datasets::paper::{Cell, Experiment, Pretraining, Protocol, Setup};

use super::clips::Set;
use super::job::{Encoder, Folder, Job, Probe, Task};
use super::settings::{Base, Scale, ScaleSet, StandIn};
use crate::args::ProbeMethod;
use crate::checkpoint::Kind;
use crate::config::RunSection;

/// All runs, by name, and what the cells take from them.
#[derive(Default)]
pub struct Plan {
    pub jobs: BTreeMap<String, Job>,
    pub experiments: Vec<Planned>,
}

impl Plan {
    /// The names of all runs as the tables have them: a table that is stopped has its first cells.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let cells = self.experiments.iter().flat_map(|planned| &planned.cells);
        let runs = cells.filter_map(|cell| cell.runs.as_ref().ok()).flatten();
        runs.flat_map(CellRuns::names)
    }
}

/// An experiment with the runs of its cells.
pub struct Planned {
    pub experiment: &'static Experiment,
    pub cells: Vec<PlannedCell>,
}

/// A cell with its runs, or why there are none.
pub struct PlannedCell {
    pub cell: &'static Cell,
    /// The clips it is measured on here.
    pub clips: Option<StandIn>,
    pub runs: Result<Vec<CellRuns>, String>,
}

/// The runs of one seed.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct CellRuns {
    pub seed: u64,
    pub pretrain: Option<String>,
    /// The one whose accuracy it is.
    pub result: String,
}

impl CellRuns {
    /// The names of both, the earlier first.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.pretrain.iter().chain([&self.result])
    }
}

/// What cells are turned into runs with.
pub struct Planner<'a> {
    pub scale: &'a Scale,
    pub sets: &'a [Set],
    /// The settings of each set of the scale, by its name.
    pub bases: &'a BTreeMap<&'a str, Base>,
    /// The same without what the scale changes: whole presets.
    pub presets: &'a BTreeMap<&'a str, Base>,
    pub seeds: &'a [u64],
    pub holdout: Option<f64>,
    /// What names of runs say of the program.
    pub program: &'a str,
    pub folder: &'a Folder,
}

/// The clips that stand for a cell's.
#[derive(Clone, Copy)]
struct Clips<'a> {
    stand_in: &'a StandIn,
    set: &'a Set,
    scale: &'a ScaleSet,
    base: &'a Base,
}

impl Planner<'_> {
    /// Adds an experiment.
    pub fn add(&self, experiment: &'static Experiment, plan: &mut Plan) {
        let mut cells = Vec::new();
        for cell in &experiment.cells {
            let runs = self.seeds.iter().map(|&seed| {
                let (id, row, column) = (&experiment.id, &cell.row, &cell.column);
                self.cell(cell, seed, &format!("{id}, {row}, {column}, seed {seed}"))
            });
            let runs: Result<Vec<(CellRuns, Vec<Job>)>, String> = runs.collect();
            let runs = runs.map(|runs| {
                let keep = |(runs, jobs): (CellRuns, Vec<Job>)| {
                    for job in jobs {
                        plan.jobs.entry(job.name.clone()).or_insert(job);
                    }
                    runs
                };
                runs.into_iter().map(keep).collect()
            });
            let clips = self.scale.stand_in(&cell.clips.set, &cell.clips.train);
            cells.push(PlannedCell {
                cell,
                clips: clips.cloned(),
                runs,
            });
        }
        plan.experiments.push(Planned { experiment, cells });
    }

    fn cell(&self, cell: &Cell, seed: u64, title: &str) -> Result<(CellRuns, Vec<Job>), String> {
        let setup = &cell.setup;
        let clips = self.clips(&cell.clips.set, &cell.clips.train)?;
        let mut jobs = Vec::new();
        if setup.pretraining != Pretraining::None {
            let from = match &setup.pretrained_on {
                None => clips,
                Some((set, train)) => self.clips(set, train)?,
            };
            same_skeleton(from.set, clips.set)?;
            let mut config = from.base.pretraining(setup, &from.set.layout)?;
            config.run = RunSection {
                split: Some(from.stand_in.train.clone()),
                val: from.scale.val.clone(),
                ..run(from.set, seed)
            };
            let task = Task::Train(Kind::Pretrain, Box::new(config));
            jobs.push(self.job((from.set, from.base), task, None, title));
        }
        let encoder: Option<String> = jobs.first().map(|job| job.name.clone());
        let path = encoder.as_ref().map(|name| self.folder.run(name));
        let task = match setup.protocol {
            Protocol::Linear => probe(clips, setup, seed, path, ProbeMethod::Linear),
            Protocol::Knn => probe(clips, setup, seed, path, ProbeMethod::Knn),
            _ => {
                let mut config = clips.base.finetuning(setup);
                config.run = RunSection {
                    train: Some(clips.stand_in.train.clone()),
                    test: Some(clips.stand_in.test.clone()),
                    holdout: self.holdout,
                    labels: (setup.protocol == Protocol::TenPercent).then_some(0.1),
                    encoder: path,
                    ..run(clips.set, seed)
                };
                Task::Train(Kind::Finetune, Box::new(config))
            }
        };
        let result = self.job((clips.set, clips.base), task, encoder.as_deref(), title);
        let runs = CellRuns {
            seed,
            pretrain: encoder,
            result: result.name.clone(),
        };
        jobs.push(result);
        Ok((runs, jobs))
    }

    /// What stands for the paper's clips, where it is here.
    fn clips(&self, set: &str, train: &str) -> Result<Clips<'_>, String> {
        let stand_in = self.scale.stand_in(set, train);
        let stand_in = stand_in.ok_or_else(|| self.scale.lacks(set, train))?;
        let name = &stand_in.set;
        let found = self.sets.iter().find(|set| set.name == *name);
        let set = found.ok_or_else(|| {
            let given = self.scale.given();
            format!("no clips of {name} were given (--data {name}=FILE; this scale takes {given})")
        })?;
        for split in [&stand_in.train, &stand_in.test] {
            if !set.splits.contains_key(split) {
                return Err(format!("{} has no split {split}", set.path.display()));
            }
        }
        let scale = self.scale.set(name).zip(self.bases.get(name.as_str()));
        let (scale, base) = scale.expect("stand-ins are of sets that the scale describes");
        Ok(Clips {
            stand_in,
            set,
            scale,
            base,
        })
    }

    /// The run is named by all that its result depends on.
    pub fn job(
        &self,
        (set, base): (&Set, &Base),
        task: Task,
        encoder: Option<&str>,
        title: &str,
    ) -> Job {
        let name = task.name(self.program, &set.digest, encoder);
        Job {
            title: title.to_owned(),
            shown: task.shown(base, &name),
            task,
            after: encoder.map(str::to_owned),
            set: set.name.clone(),
            name,
        }
    }
}

/// Runs compute on one thread, and there are several at once.
pub fn run(set: &Set, seed: u64) -> RunSection {
    RunSection {
        seed,
        threads: Some(1),
        data: Some(set.path.clone()),
        ..RunSection::default()
    }
}

/// Everything about a trained encoder is in its checkpoint; a random one has only settings.
fn probe(
    clips: Clips<'_>,
    setup: &Setup,
    seed: u64,
    encoder: Option<PathBuf>,
    method: ProbeMethod,
) -> Task {
    let random = || Encoder::Random(Box::new(clips.base.encoder(setup)));
    Task::Probe(Probe {
        method,
        data: clips.set.path.clone(),
        train: clips.stand_in.train.clone(),
        test: clips.stand_in.test.clone(),
        seed,
        encoder: encoder.map_or_else(random, Encoder::Trained),
    })
}

/// An encoder knows one skeleton.
fn same_skeleton(from: &Set, to: &Set) -> Result<(), String> {
    if (&from.layout, from.coordinates, from.units) == (&to.layout, to.coordinates, to.units) {
        return Ok(());
    }
    let has = |set: &Set| {
        let (layout, units) = (set.layout.name(), set.units.name());
        format!(
            "{} has {layout} ({} coordinates, {units})",
            set.name, set.coordinates
        )
    };
    Err(format!(
        "transfer wants two sets with the same joints: {}, {}",
        has(from),
        has(to)
    ))
}

#[cfg(test)]
pub mod tests {
    use skeleton_data::Units;
    use skeleton_graph::Layout;

    use super::*;
    use crate::args::ScaleName;
    use crate::config::Assignment;
    use crate::reproduce::known;

    const PARTS: [&str; 6] = [
        "head",
        "torso",
        "left arm",
        "right arm",
        "left leg",
        "right leg",
    ];

    /// A layout of parts of two joints each.
    pub fn layout(name: &str, parts: &[&str]) -> Layout {
        let joints: Vec<String> = (0..2 * parts.len()).map(|at| format!("j{at}")).collect();
        let edges: Vec<[usize; 2]> = (1..joints.len()).map(|at| [at, at - 1]).collect();
        let mut text = format!(
            "name = {name:?}\njoints = {joints:?}\nedges = {edges:?}\nflips = []\norigin = [0]\n"
        );
        for (at, part) in parts.iter().enumerate() {
            let joints = [2 * at, 2 * at + 1];
            text.push_str(&format!(
                "[[parts]]\nname = {part:?}\njoints = {joints:?}\n"
            ));
        }
        Layout::from_toml(&text, name).unwrap_or_else(|error| panic!("{error}"))
    }

    fn set(name: &str, layout_name: &str, splits: &[&str], parts: &[&str]) -> Set {
        let split = |split: &&str| ((*split).to_owned(), vec![1; 10]);
        Set {
            name: name.to_owned(),
            path: PathBuf::from(format!("/data/{name}.h5")),
            dataset: name.to_owned(),
            layout: layout(layout_name, parts),
            coordinates: 2,
            units: Units::Normalised,
            digest: format!("digest of {name}"),
            splits: splits.iter().map(split).collect(),
        }
    }

    fn jhmdb() -> Set {
        let splits = ["train1", "test1", "train2", "test2"];
        set("jhmdb14", "jhmdb15", &splits, &PARTS)
    }

    fn planned(
        ids: &[&str],
        scale: ScaleName,
        sets: &[Set],
        seeds: &[u64],
        changes: &[&str],
    ) -> Plan {
        let scale = Scale::read(scale).expect("the scales are valid");
        let changes: Vec<Assignment> = changes
            .iter()
            .map(|typed| Assignment::parse(typed).expect("a setting"))
            .collect();
        let base = |set| Base::new(set, &changes, None).expect("the scales' settings are valid");
        let bases = scale.sets.iter().map(|set| (set.name.as_str(), base(set)));
        let bases = bases.collect();
        let planner = Planner {
            scale: &scale,
            sets,
            bases: &bases,
            presets: &bases,
            seeds,
            holdout: None,
            program: "ssl 1",
            folder: &Folder::at("/out".into()),
        };
        let mut plan = Plan::default();
        for id in ids {
            let experiment = known().into_iter().find(|one| one.id == *id).expect(id);
            planner.add(experiment, &mut plan);
        }
        plan
    }

    fn kinds(plan: &Plan, kind: &str) -> usize {
        plan.jobs
            .keys()
            .filter(|name| name.starts_with(kind))
            .count()
    }

    #[test]
    fn cells_share_their_pre_training_and_tables_their_runs() {
        let one = planned(&["table5a"], ScaleName::Small, &[jhmdb()], &[0, 1], &[]);
        // M doesn't matter to pre-training; five cells are fine-tuned, one of them from scratch; two seeds.
        assert_eq!((kinds(&one, "pretrain"), kinds(&one, "finetune")), (2, 10));
        let both = planned(
            &["table5a", "table4c"],
            ScaleName::Small,
            &[jhmdb()],
            &[0, 1],
            &[],
        );
        // M = 3 is GIN with the right arm masked.
        assert_eq!(
            (kinds(&both, "pretrain"), kinds(&both, "finetune")),
            (36, 44)
        );
        for job in both.jobs.values() {
            assert!(
                job.after
                    .as_ref()
                    .is_none_or(|name| both.jobs.contains_key(name))
            );
        }
    }

    #[test]
    fn a_name_follows_data_seed_settings_and_the_encoder() {
        let names = |sets: &[Set], seed, changes: &[&str]| -> Vec<String> {
            let plan = planned(&["table1"], ScaleName::Small, sets, &[seed], changes);
            plan.jobs.into_keys().collect()
        };
        let base = names(&[jhmdb()], 0, &[]);
        assert_eq!(base, names(&[jhmdb()], 0, &[]));
        let mut other = jhmdb();
        other.digest = "another".to_owned();
        let mut moved = jhmdb();
        moved.path = "/elsewhere/x.h5".into();
        assert_eq!(
            base,
            names(&[moved], 0, &[]),
            "where a file is doesn't matter"
        );
        // A setting of the pre-training alone changes the fine-tuning's name too, through the encoder.
        for changed in [
            names(&[other], 0, &[]),
            names(&[jhmdb()], 1, &[]),
            names(&[jhmdb()], 0, &["pretrain.epochs=1"]),
        ] {
            assert!(
                base.iter().all(|name| !changed.contains(name)),
                "{changed:?}"
            );
        }
    }

    #[test]
    fn a_part_that_a_skeleton_lacks_is_said_and_nothing_is_put_in_its_place() {
        let legless = set("jhmdb14", "mine", &["train1", "test1"], &PARTS[..4]);
        let plan = planned(&["table4c"], ScaleName::Small, &[legless], &[0], &[]);
        let cells = &plan.experiments[0].cells;
        let whys: Vec<&String> = cells
            .iter()
            .filter_map(|cell| cell.runs.as_ref().err())
            .collect();
        assert_eq!((cells.len(), whys.len()), (18, 6));
        assert!(whys[0].contains("no left leg"), "{whys:?}");
        assert_eq!(kinds(&plan, "pretrain"), 12);
    }

    #[test]
    fn what_is_not_here_is_said_with_what_it_takes() {
        let plan = planned(
            &["figure5", "table2"],
            ScaleName::Small,
            &[jhmdb()],
            &[0],
            &[],
        );
        assert!(plan.jobs.is_empty());
        let why = |at: usize, cell: usize| {
            plan.experiments[at].cells[cell]
                .runs
                .as_ref()
                .expect_err("no data")
        };
        assert!(
            why(0, 0).contains("a set with the joints of") && why(0, 0).contains("ntu60_2d"),
            "{}",
            why(0, 0)
        );
        assert!(why(1, 1).contains("--data nw_ucla=FILE"), "{}", why(1, 1));
    }

    #[test]
    fn transfer_wants_the_same_joints() {
        let gym = set("gym99", "coco17", &["train", "val"], &PARTS);
        let ntu = |layout: &str| set("ntu60_2d", layout, &["xsub_train", "xsub_val"], &PARTS);
        let same = planned(
            &["figure5"],
            ScaleName::Paper,
            &[gym.clone(), ntu("coco17")],
            &[0],
            &[],
        );
        // Six parts, pre-trained here and there; NTU 120 isn't given.
        assert_eq!(
            (kinds(&same, "pretrain"), kinds(&same, "finetune")),
            (12, 12)
        );
        let other = planned(
            &["figure5"],
            ScaleName::Paper,
            &[gym, ntu("other")],
            &[0],
            &[],
        );
        assert_eq!(kinds(&other, "finetune"), 6);
        let why = other.experiments[0].cells[0]
            .runs
            .as_ref()
            .expect_err("another skeleton");
        assert!(
            why.contains("same joints") && why.contains("gym99 has coco17"),
            "{why}"
        );
    }

    #[test]
    fn protocols_are_probes_and_few_labels() {
        let plan = planned(&["protocols"], ScaleName::Small, &[jhmdb()], &[0], &[]);
        assert_eq!(
            (
                kinds(&plan, "pretrain"),
                kinds(&plan, "probe"),
                kinds(&plan, "finetune")
            ),
            (1, 4, 4)
        );
        let (mut few, mut knn, mut linear, mut random) = (0, 0, 0, 0);
        for job in plan.jobs.values() {
            match &job.task {
                Task::Train(_, config) => few += usize::from(config.run.labels == Some(0.1)),
                Task::Probe(probe) => {
                    knn += usize::from(probe.method == ProbeMethod::Knn);
                    linear += usize::from(probe.method == ProbeMethod::Linear);
                    random += usize::from(matches!(probe.encoder, Encoder::Random(_)));
                    let trained = matches!(probe.encoder, Encoder::Trained(_));
                    assert_eq!(trained, job.after.is_some());
                }
                Task::Scores(_) => unreachable!("no table fuses models"),
            }
        }
        assert_eq!((few, knn, linear, random), (2, 2, 2, 2));
    }
}
