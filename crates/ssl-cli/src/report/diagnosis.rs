//! What `ssl doctor` says.

use serde::Serialize;
use skeleton_data::ClipSource;
use skeleton_data::cache::Cache;
use skeleton_data::draw::plain;
use skeleton_data::health::{
    Finding, Health, Kind, Majority, PairFacts, Place, Severity, SplitFacts,
};

use super::{columns, count, percent};

/// A diagnosis with its circumstances.
#[derive(Debug, Serialize)]
pub struct Diagnosis<'a> {
    dataset: &'a str,
    digest: &'a str,
    clips: usize,
    healthy: bool,
    findings: Vec<Shown<'a>>,
    splits: &'a [SplitFacts],
    pairs: &'a [PairFacts],
    #[serde(skip_serializing_if = "Option::is_none")]
    overfit: Option<Overfit>,
    asks: Vec<Asked>,
    #[serde(skip)]
    classes: &'a [String],
}

/// A finding with the names of its clips.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    severity: Severity,
    kind: Kind,
    what: &'a str,
    splits: &'a [String],
    #[serde(rename = "where")]
    places: Vec<Named<'a>>,
    /// Clips that are not named.
    more: usize,
    why: &'static str,
    advice: &'static str,
}

#[derive(Debug, Serialize)]
struct Named<'a> {
    clip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<&'a str>,
}

/// A change of the preset default that the clips ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// As `--set` takes them.
    pub set: Vec<String>,
    /// Why.
    pub why: String,
}

/// What came of learning one batch by heart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overfit {
    /// Where the settings come from.
    pub settings: String,
    /// The split the batch is from; none for all clips.
    pub split: Option<String>,
    /// Clips of the batch.
    pub clips: usize,
    /// Their classes.
    pub classes: usize,
    /// Updates made.
    pub steps: usize,
    /// Updates at most.
    pub most_steps: usize,
    /// The loss of the first update.
    pub first_loss: f64,
    /// The loss of the last update.
    pub last_loss: f64,
    /// Below this loss every clip is taken for its class.
    pub goal: f64,
    /// Whether it got there.
    pub fits: bool,
}

impl<'a> Diagnosis<'a> {
    /// Names up to `show` clips of each finding.
    pub fn new(
        cache: &'a Cache,
        health: &'a Health,
        overfit: Option<Overfit>,
        show: usize,
    ) -> Diagnosis<'a> {
        let id = |clip: u32| cache.sample(clip as usize).id;
        let named = |place: &Place| Named {
            clip: id(place.clip),
            like: place.twin.map(id),
        };
        let shown = |finding: &'a Finding| Shown {
            severity: finding.severity,
            kind: finding.kind,
            what: &finding.what,
            splits: &finding.splits,
            places: finding.places.iter().take(show).map(named).collect(),
            more: finding.places.len().saturating_sub(show),
            why: finding.kind.why(),
            advice: advice(finding.kind),
        };
        Diagnosis {
            dataset: cache.dataset(),
            digest: cache.digest(),
            clips: cache.len(),
            healthy: !health.is_ill() && overfit.as_ref().is_none_or(|overfit| overfit.fits),
            findings: health.findings.iter().map(shown).collect(),
            splits: &health.splits,
            pairs: &health.pairs,
            overfit,
            asks: Vec::new(),
            classes: cache.classes(),
        }
    }

    /// The same with what the clips ask of the settings.
    pub fn asking(self, asks: Vec<Asked>) -> Diagnosis<'a> {
        Diagnosis { asks, ..self }
    }

    /// How many findings, and a failed batch, make training fail or results lie.
    pub fn errors(&self) -> usize {
        let errors = self
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        errors + usize::from(self.overfit.as_ref().is_some_and(|overfit| !overfit.fits))
    }
}

/// What to do about it with this program.
fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::EmptyClip | Kind::NoPresentJoint => "leave them out of the source, and prepare again",
        Kind::NotFinite => "prepare again: `ssl prepare` makes such joints missing",
        Kind::OneFrame | Kind::Constant => {
            "look at them (ssl inspect --clip ID --svg FILE.svg); leave them out if they are wrong"
        }
        Kind::LabelBeyondClasses => "prepare again with the right --classes",
        Kind::Units => "prepare again with the right --units, such as --units millimetre",
        Kind::ThirdIsScore => "prepare again with --columns x,y,score",
        Kind::Mark => "prepare again with --missing VALUE",
        Kind::MorePeople => {
            "read others, --set reading.people=motion (or score), or more: --set reading.persons=N"
        }
        Kind::NoSplits => {
            "train on `all` and keep a part back (--train all --holdout 0.2), or prepare again with --split test=share:0.2 --split train=rest"
        }
        Kind::Scale => {
            "look at them (ssl inspect --clip ID --html FILE.html); reading.normalization = \"clip\" evens sizes out"
        }
        Kind::OutsideImage => {
            "check img_shape (height, width) in the source, or use reading.normalization = \"clip\""
        }
        Kind::Copies => "keep one of each in the source, unless the set is published so",
        Kind::ContradictoryLabels => "look at both, and correct the labels in the source",
        Kind::ClassWithoutClips => {
            "check the list of classes; ignore this if the set is published so"
        }
        Kind::EmptySplit => {
            "check that the split's ids are those of the clips (ssl inspect lists the splits)"
        }
        Kind::RepeatedInSplit => "name each clip once in the split",
        Kind::Unlabelled => "label them, or expect fewer clips",
        Kind::Uneven => "report mean_class of ssl evaluate beside top1",
        Kind::SharedClips | Kind::SharedPoses => {
            "test on a split without them, and say so beside published numbers"
        }
        Kind::SharedSubjects => "split by subject, or say that people are shared",
        Kind::ClassNotTrained => "add such clips to training, or leave the class out of the test",
        Kind::ClassNotTested => "nothing, if the test split is published so",
        // Kinds of a newer library.
        _ => "look at the clips",
    }
}

impl Diagnosis<'_> {
    /// A page for people.
    pub fn text(&self) -> String {
        let mut lines = vec![format!(
            "{}: {}",
            plain(self.dataset),
            count(self.clips, "clip")
        )];
        lines.extend(self.findings.iter().flat_map(Shown::lines));
        lines.extend(self.split_lines());
        lines.extend(self.pair_lines());
        lines.extend(self.overfit.iter().map(Overfit::text));
        for Asked { set, why } in &self.asks {
            let set: Vec<String> = set.iter().map(|set| format!("--set {set}")).collect();
            lines.push(format!("{:8} preset default: {}", "NOTE", set.join(" ")));
            lines.push(format!("         why    {why}"));
        }
        if self.healthy {
            lines.push("healthy: nothing found that makes training fail or results lie".to_owned());
        }
        lines.join("\n")
    }

    fn split_lines(&self) -> Vec<String> {
        if self.splits.is_empty() {
            return vec!["no splits".to_owned()];
        }
        let head = ["split", "clips", "classes", "largest class"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.splits.iter().map(|split| {
            [
                plain(&split.name),
                split.clips.to_string(),
                split.classes.to_string(),
                self.majority(split.majority),
            ]
        }));
        columns(&[false, true, true, false], &rows)
    }

    fn pair_lines(&self) -> Vec<String> {
        if self.pairs.is_empty() {
            let message = "no two splits belong together by name: --split-train NAME --split-test NAME compares two";
            let several = self.splits.len() > 1;
            return several.then(|| message.to_owned()).into_iter().collect();
        }
        let head = ["trained on", "tested on", "leaked", "baseline: always"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.pairs.iter().map(|pair| {
            [
                plain(&pair.train),
                plain(&pair.test),
                pair.leaked.to_string(),
                self.majority(pair.baseline),
            ]
        }));
        columns(&[false, false, true, false], &rows)
    }

    fn majority(&self, most: Option<Majority>) -> String {
        let Some(Majority { class, share }) = most else {
            return "-".to_owned();
        };
        let name = self
            .classes
            .get(class as usize)
            .map_or_else(|| class.to_string(), |name| plain(name));
        format!("{} ({name})", percent(share))
    }
}

impl Shown<'_> {
    fn lines(&self) -> Vec<String> {
        let severity = match self.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
            Severity::Note => "NOTE",
        };
        let mut lines = vec![format!("{severity:8} {}", plain(self.what))];
        let name = |named: &Named<'_>| match named.like {
            Some(like) => format!("{} = {}", plain(named.clip), plain(like)),
            None => plain(named.clip),
        };
        let names: Vec<String> = self.places.iter().map(name).collect();
        let names = names.join(", ");
        let place = match (names.is_empty(), self.more) {
            (true, 0) => None,
            (true, more) => Some(count(more, "clip")),
            (false, 0) => Some(names),
            (false, more) => Some(format!("{names} and {more} more")),
        };
        lines.extend(place.map(|place| format!("         where  {place}")));
        lines.push(format!("         why    {}", self.why));
        lines.push(format!("         do     {}", self.advice));
        lines
    }
}

impl Overfit {
    fn text(&self) -> String {
        let (clips, classes) = (count(self.clips, "clip"), count(self.classes, "class"));
        let split = self
            .split
            .as_ref()
            .map_or(String::new(), |split| format!(" from {}", plain(split)));
        let way = format!(
            "loss {:.3} to {:.3} in {}",
            self.first_loss,
            self.last_loss,
            count(self.steps, "step")
        );
        let (severity, verdict) = match self.fits {
            true => ("OK", "learnt by heart".to_owned()),
            false if self.last_loss.is_finite() => (
                "ERROR",
                format!("not learnt by heart: the loss stays above {:.3}", self.goal),
            ),
            false => (
                "ERROR",
                "not learnt by heart: the loss is not finite".to_owned(),
            ),
        };
        let mut text = format!(
            "{severity:8} one batch of {clips} of {classes}{split} ({}): {verdict}; {way}",
            self.settings
        );
        if !self.fits {
            text.push_str(
                "\n         why    a model that can't fit a few clips won't learn many: labels, coordinates or settings are wrong\n         \
                 do     draw some of these clips (ssl inspect --clip), lower the rate (--set finetune.optimizer.lr=...)",
            );
        }
        text
    }
}
