//! The page of runs.

use maud::{Markup, html};

use super::{clips, compared, curves, measured};
use super::{interval, missing, page, percent, scrolling, word};
use crate::page::facts::{Measured, Part, Report, RunFacts};
use crate::report::count;

/// The page.
pub fn report(report: &Report) -> String {
    let several = report.runs.len() > 1;
    let mut nav = vec![("overview".to_owned(), "Overview".to_owned())];
    nav.push(("curves".to_owned(), "Learning curves".to_owned()));
    if several {
        nav.push(("compared".to_owned(), "Compared".to_owned()));
    }
    let mut parts = vec![overview(report), curves::section(&report.runs)];
    if several {
        parts.push(compared::section(report));
    }
    for (at, run) in report.runs.iter().enumerate() {
        let sections = sections(report, at, run);
        if several {
            nav.push((format!("run-{at}"), run.name.clone()));
        } else {
            let named = sections
                .iter()
                .map(|one| (one.id.clone(), one.title.to_owned()));
            nav.extend(named);
        }
        let sections = sections.iter().map(|one| one.markup(several));
        let sections: Vec<Markup> = sections.collect();
        parts.push(html! {
            @if several {
                div.run id={ "run-" (at) } {
                    h2 { (word(&run.name)) }
                    @for section in &sections { (section) }
                }
            } @else {
                @for section in &sections { (section) }
            }
        });
    }
    let title = match &*report.runs {
        [run] => run.name.clone(),
        runs => count(runs.len(), "run"),
    };
    let body = html! { @for part in &parts { (part) } };
    page(&title, &nav, &body, report)
}

/// A part of what is said of a run.
struct Section {
    id: String,
    title: &'static str,
    body: Markup,
}

impl Section {
    /// As a section of its own, or, where there are several runs, below the run's heading.
    fn markup(&self, below: bool) -> Markup {
        html! {
            section id=(self.id) aria-labelledby={ (self.id) "-title" } {
                @if below {
                    h3 id={ (self.id) "-title" } { (self.title) }
                } @else {
                    h2 id={ (self.id) "-title" } { (self.title) }
                }
                (self.body)
            }
        }
    }
}

fn sections(report: &Report, at: usize, run: &RunFacts) -> Vec<Section> {
    let mut found = Vec::new();
    let mut add = |name: &str, title, body| {
        found.push(Section {
            id: format!("{name}-{at}"),
            title,
            body,
        });
    };
    if let Some(measured) = &run.measured {
        add(
            "classes",
            "Accuracy by class",
            with(measured, measured::classes),
        );
        let matrix = |all: &Measured| measured::confusion(at, all, report);
        add(
            "confusion",
            "Which classes are taken for which",
            with(measured, matrix),
        );
    }
    if let Some(guesses) = &run.guesses {
        let body = |guesses: &_| clips::mistakes(report, guesses);
        add(
            "mistakes",
            "The most confident mistakes",
            with(guesses, body),
        );
        let body = |guesses: &_| clips::best(report, guesses);
        add("best", "The best clips", with(guesses, body));
    }
    add(
        "planes",
        "What it sees in the clips",
        with(&run.planes, |planes| clips::planes(report, at, planes)),
    );
    add(
        "reconstruction",
        "Hidden joints, put back",
        with(&run.reconstruction, |made| clips::reconstruction(at, made)),
    );
    add("settings", "Where it comes from", provenance(run));
    found
}

/// A part, or what is missing.
fn with<T>(part: &Part<T>, body: impl FnOnce(&T) -> Markup) -> Markup {
    match part {
        Part::There(part) => body(part),
        Part::Missing { why, hint } => missing(why, hint.as_deref()),
    }
}

fn overview(report: &Report) -> Markup {
    html! {
        section #overview aria-labelledby="overview-title" {
            h2 id="overview-title" { "Overview" }
            @if let [run] = &*report.runs { (headline(run)) }
            (scrolling("The runs", &table(report)))
            @if report.runs.iter().any(|run| run.measured.as_ref().and_then(Part::there).is_some()) {
                p.remark {
                    "In brackets: the interval that holds the true share in 95 of 100 cases, were the clips drawn at random (Wilson). \
                     It knows nothing of what another seed would do."
                }
            }
        }
    }
}

/// The number that one looks for.
fn headline(run: &RunFacts) -> Markup {
    let Some(Part::There(measured)) = &run.measured else {
        return put_back(run);
    };
    let evaluation = &measured.evaluation;
    html! {
        p.headline {
            strong { (percent(measured.top1_interval.value)) }
            " of " (count(evaluation.n, "clip")) " of " (word(&evaluation.dataset)) " " (word(&evaluation.split))
            " are recognised, among " (count(evaluation.classes.len(), "class")) "."
        }
    }
}

/// Of a pre-training, how well hidden joints are put back.
fn put_back(run: &RunFacts) -> Markup {
    let made = run.reconstruction.there();
    let errors = made.filter(|_| run.measured.is_none()).and_then(|made| {
        let all = &made.parts.as_ref()?.all;
        Some((all.model?, all.neighbours?))
    });
    html! {
        @if let Some((model, neighbours)) = errors {
            p.headline {
                strong { (format!("{model:.2}")) }
                " is how far hidden joints are put from where they were, in the clips' normalised units; \
                 the mean of the nearest visible joints is " (format!("{neighbours:.2}")) " off."
            }
        }
    }
}

/// Which columns the table of runs has: those in which a run has something to say.
struct Columns {
    measured: bool,
    five: bool,
    best: bool,
    pretraining: bool,
}

impl Columns {
    fn of(runs: &[RunFacts]) -> Columns {
        let any = |has: fn(&Measured) -> bool| {
            let mut all = runs.iter().filter_map(|run| run.measured.as_ref()?.there());
            all.any(has)
        };
        Columns {
            measured: runs.iter().any(|run| run.measured.is_some()),
            five: any(|measured| measured.top5_interval.is_some()),
            best: any(|measured| measured.best.is_some()),
            pretraining: runs.iter().any(|run| run.measured.is_none()),
        }
    }
}

fn table(report: &Report) -> Markup {
    let columns = Columns::of(&report.runs);
    html! {
        table {
            thead { tr {
                th scope="col" { "run" }
                @if columns.measured {
                    th scope="col" { "measured on" }
                    th.number scope="col" { "clips" }
                    th.number scope="col" { "top-1" }
                    @if columns.five { th.number scope="col" { "top-5" } }
                    th.number scope="col" { "mean class" }
                    @if columns.best { th.number scope="col" { "best by held-out" } }
                }
                @if columns.pretraining { th.number scope="col" { "loss" } }
                th.number scope="col" { "epochs" }
            } }
            tbody { @for run in &report.runs { (row(run, &columns)) } }
        }
    }
}

fn row(run: &RunFacts, columns: &Columns) -> Markup {
    let measured = run.measured.as_ref().and_then(Part::there);
    let evaluation = measured.map(|measured| &measured.evaluation);
    let loss = run
        .epochs
        .last()
        .and_then(|epoch| epoch.numbers.get("loss"));
    html! {
        tr {
            th scope="row" { (word(&run.name)) " " span.kind { (run.kind) } }
            @if columns.measured {
                td { @if let Some(of) = evaluation { (word(&of.dataset)) " " (word(&of.split)) } }
                td.number { @if let Some(of) = evaluation { (of.n) } }
                td.number { @if let Some(of) = measured { (interval(&of.top1_interval)) } }
                @if columns.five { td.number { @if let Some(share) = measured.and_then(|of| of.top5_interval) { (interval(&share)) } } }
                td.number { @if let Some(of) = evaluation { (percent(of.mean_class)) } }
                @if columns.best {
                    td.number {
                        @if let Some((epoch, share)) = measured.and_then(|of| of.best) {
                            (percent(share.value)) " (epoch " (epoch) ")"
                        }
                    }
                }
            }
            @if columns.pretraining { td.number { @if let Some(loss) = loss { (format!("{loss:.4}")) } } }
            td.number { (run.epochs.len()) }
        }
    }
}

fn provenance(run: &RunFacts) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in &run.provenance { dt { (name) } dd { (word(value)) } }
        }
        p { "The command that makes it again:" }
        pre tabindex="0" { code { (skeleton_data::draw::plain(&run.command)) } }
        details {
            summary { "All settings" }
            (scrolling("All settings", &html! {
                table {
                    thead { tr { th scope="col" { "setting" } th scope="col" { "value" } } }
                    tbody { @for (key, value) in &run.settings { tr { th scope="row" { code { (word(key)) } } td { (word(value)) } } } }
                }
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::{HOSTILE, run, set};

    fn made(runs: usize) -> String {
        let labels = [0, 0, 1, 1, 2, -1];
        let runs = (0..runs)
            .map(|at| run(&format!("runs/{at}{HOSTILE}"), &labels))
            .collect();
        report(&Report::new(vec![set(&labels)], runs))
    }

    #[test]
    fn names_cannot_act_in_the_page() {
        for page in [made(1), made(2)] {
            // Our own two scripts, and the element that holds the facts ends where it should.
            assert_eq!(page.matches("<script").count(), 2);
            assert_eq!(page.matches("</script").count(), 2);
            assert!(!page.contains("<img") && !page.contains('\u{202e}'));
            let data = page
                .split("id=\"report\">")
                .nth(1)
                .unwrap()
                .split("</script>")
                .next()
                .unwrap();
            let facts: serde_json::Value = serde_json::from_str(data).unwrap();
            assert_eq!(facts["sets"][0]["ids"][3], format!("clip003{HOSTILE}"));
            assert_eq!(facts["form"], 1);
        }
    }

    #[test]
    fn ids_are_one_elements_and_links_lead_somewhere() {
        let page = made(3);
        let mut seen = std::collections::BTreeSet::new();
        for id in page
            .split(" id=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            assert!(seen.insert(id), "{id} twice");
        }
        for link in page
            .split("href=\"#")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            assert!(seen.contains(link), "#{link}");
        }
    }

    #[test]
    fn the_same_facts_are_the_same_bytes_and_what_is_missing_is_said() {
        assert_eq!(made(2), made(2));
        let page = made(1);
        assert!(page.contains("nothing was pre-trained") && page.contains("ssl pretrain"));
        assert!(
            page.contains("70.0 %") && page.contains("(39.7 to 89.2)"),
            "{page}"
        );
    }

    /// NTU RGB+D 120's size, with two people of 25 joints in every clip that moves: as much as a page can hold.
    #[test]
    fn a_page_of_120_classes_and_20_000_clips_can_be_mailed() {
        use skeleton_data::Units;
        use skeleton_data::draw::{Axis, Camera, Scene, Skeleton};
        use skeleton_graph::Layout;

        use crate::feed::tests::clip;
        use crate::page::NUMBERS;
        use crate::page::facts::{ClipSet, Guesses, PlaneFacts};

        let layout = Layout::built_in("ntu25").unwrap();
        let places = (0..2 * 300 * 25 * 3).map(|at| (at * 37 % 101) as f32 / 50.0 - 1.0);
        let clip = clip("x", [2, 300, 25, 3], places.collect());
        let camera = Camera::new(Axis::usual(Units::Metre, &clip.view(), &layout), 3).unwrap();
        let motion = Scene::new(&clip.view(), &layout, &camera)
            .unwrap()
            .motion(NUMBERS);
        let (n, k) = (20_000, 120);
        let labels: Vec<i64> = (0..n as i64).map(|at| at % k as i64).collect();
        let classes: Vec<String> = (0..k)
            .map(|at| format!("a class of some length, number {at}"))
            .collect();
        // Half are wrong, and so that no cell is empty.
        let guess = |at: usize| (at % k + if at.is_multiple_of(2) { at / k % k } else { 0 }) % k;
        let mut confusion = vec![vec![0; k]; k];
        (0..n).for_each(|at| confusion[at % k][guess(at)] += 1);
        let probabilities = (0..n).map(|at| {
            let mut row = vec![0.001; k];
            row[guess(at)] = 0.3 + (at * 7 % 6000) as f64 / 10_000.0;
            row
        });
        let probabilities: Vec<Vec<f64>> = probabilities.collect();
        let rows: Vec<Vec<f32>> = (0..n)
            .map(|at| vec![(at * at % 7919) as f32, (at * 31 % 6007) as f32])
            .collect();
        let planes = || (0..3).filter_map(|at| PlaneFacts::new(0, &format!("plane {at}"), &rows));
        let made = Report::new(
            vec![ClipSet {
                dataset: "ntu120".into(),
                split: "xsub_val".into(),
                digest: "00".into(),
                classes: classes.clone(),
                ids: (0..n)
                    .map(|at| format!("S001C001P001R001A{at:05}"))
                    .collect(),
                labels: labels.clone(),
                skeleton: Skeleton::of(&layout),
                motion: (0..500).map(|at| (at * 40, motion.clone())).collect(),
            }],
            vec![RunFacts {
                measured: Measured::new(
                    crate::report::Evaluation {
                        n,
                        confusion,
                        classes,
                        ..crate::page::tests::evaluation()
                    },
                    None,
                )
                .map(Part::There),
                guesses: Some(Part::There(Guesses::new(0, &labels, &probabilities))),
                planes: Part::There(planes().collect()),
                ..run("runs/large", &[0])
            }],
        );
        let size = report(&made).len();
        assert!((8_000_000..15_000_000).contains(&size), "{size} bytes");
    }
}
