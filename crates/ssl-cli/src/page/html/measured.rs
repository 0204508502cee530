//! What a classifier reaches: class by class, and which classes it takes for which.

use maud::{Markup, html};

use super::{bar, interval, percent, scrolling, sorting, word};
use crate::page::facts::{Measured, Part, Report};

/// Up to so many classes the matrix stands in the page as a table too.
const TABLE: usize = 40;

fn name(measured: &Measured, class: usize) -> Markup {
    match measured.evaluation.classes.get(class) {
        Some(name) => word(name),
        None => html! { (class) },
    }
}

/// A row a class: its clips, its share, what it is taken for.
pub fn classes(measured: &Measured) -> Markup {
    let table = html! {
        table.sortable {
            thead { tr {
                (sorting("class", ""))
                (sorting("clips", "number"))
                (sorting("right", "number"))
                (sorting("accuracy", "number"))
                th scope="col" { span.hidden { "as a bar" } }
                (sorting("most often taken for", ""))
            } }
            tbody {
                @for (class, facts) in measured.by_class.iter().enumerate() {
                    tr {
                        th scope="row" { (name(measured, class)) }
                        td.number { (facts.clips) }
                        td.number { (facts.right) }
                        @if let Some(share) = facts.share {
                            td.number data-value=(format!("{:.5}", share.value)) { (interval(&share)) }
                            td.bars { (bar(share.value)) }
                        } @else {
                            td.number data-value="-1" { "no clips" }
                            td.bars {}
                        }
                        td {
                            @if let Some((other, clips)) = facts.taken_for {
                                (name(measured, other)) " (" (clips) ")"
                            }
                        }
                    }
                }
            }
        }
    };
    html! {
        (scrolling("Accuracy by class", &table))
        p.remark { "Mean over the classes: " (percent(measured.evaluation.mean_class)) ". A column's head sorts by it." }
    }
}

/// The matrix, which a script draws, and in words.
pub fn confusion(at: usize, measured: &Measured, report: &Report) -> Markup {
    let k = measured.evaluation.classes.len();
    let guesses = report.runs[at].guesses.as_ref().and_then(Part::there);
    let readout = format!("matrix-readout-{at}");
    html! {
        p { "Rows are the truth, columns the guess; the darker, the larger the share of the row's clips." }
        div.matrix data-run=(at) {
            p {
                label { "Order of the classes "
                    select.order {
                        option value="similarity" { "those alike side by side" }
                        option value="accuracy" { "the worst first" }
                        option value="name" { "by name" }
                        option value="number" { "as in the data" }
                    }
                }
            }
            div.canvases {
                canvas.whole role="img" aria-label={ "All " (k) " classes; the frame is what the matrix beside it shows" } {}
                canvas.detail tabindex="0" role="application" aria-roledescription="matrix"
                    aria-label={ "Confusion of " (k) " classes: arrow keys go from cell to cell" } aria-describedby=(readout) {}
                div.about {
                    p.readout id=(readout) role="status" { "Choose a cell with the pointer, or with the arrow keys." }
                    @if guesses.is_some() { ul.cell aria-label="Clips of the cell" {} }
                }
            }
        }
        @if let Some(note) = guesses.and_then(|guesses| guesses.note.as_ref()) { p.remark { (note) } }
        h3 { "Most confused" }
        @if measured.pairs.is_empty() {
            p { "No clip is taken for another class." }
        } @else {
            (scrolling("Most confused classes", &pairs(measured)))
        }
        @if k <= TABLE {
            details {
                summary { "The matrix as a table" }
                (scrolling("The confusion matrix", &matrix(measured)))
            }
        }
    }
}

fn pairs(measured: &Measured) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "class" } th scope="col" { "taken for" }
                th.number scope="col" { "clips" } th.number scope="col" { "of" } th scope="col" { span.hidden { "as a bar" } }
            } }
            tbody {
                @for &(truth, guess, clips) in &measured.pairs {
                    @let all = measured.by_class[truth].clips;
                    tr {
                        th scope="row" { (name(measured, truth)) }
                        td { button.link.pair type="button" data-truth=(truth) data-guess=(guess) { (name(measured, guess)) } }
                        td.number { (clips) } td.number { (all) }
                        td.bars { (bar(clips as f64 / all.max(1) as f64)) }
                    }
                }
            }
        }
    }
}

fn matrix(measured: &Measured) -> Markup {
    let k = measured.evaluation.classes.len();
    html! {
        table.counts {
            thead { tr { td { "truth, then guess" } @for class in 0..k { th scope="col" { (name(measured, class)) } } } }
            tbody {
                @for (class, row) in measured.evaluation.confusion.iter().enumerate() {
                    tr { th scope="row" { (name(measured, class)) } @for clips in row { td.number { (clips) } } }
                }
            }
        }
    }
}
