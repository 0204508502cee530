//! Single clips: mistakes, best ones, planes of representations, reconstructions.

use maud::{Markup, html};
use skeleton_data::draw::plain;

use super::{bar, moving, percent, scrolling, word};
use crate::page::facts::{ClipSet, Guesses, PlaneFacts, Reconstructed, ReconstructedClip, Report};
use crate::report::{PartReport, count};

/// Clips that are shown before "more" is pressed.
const SHOWN: usize = 8;
/// Rows of the tables of clips.
const ROWS: usize = 100;

/// Clips taken for another class.
pub fn mistakes(report: &Report, guesses: &Guesses) -> Markup {
    let set = &report.sets[guesses.set];
    if guesses.mistakes.is_empty() {
        return html! { p { "No clip is taken for another class." } };
    }
    let caption = |clip: usize| {
        html! {
            span.id { (word(&set.ids[clip])) }
            span { (word(&set.class(set.labels[clip]))) ", " em { "taken for " (word(&set.class(guesses.guess[clip] as i64))) } }
            span.soft { (percent(guesses.p[clip])) " sure; its own class " (percent(guesses.p_true[clip])) }
        }
    };
    listed(set, guesses, &guesses.mistakes, caption)
}

/// Clips that are right.
pub fn best(report: &Report, guesses: &Guesses) -> Markup {
    let set = &report.sets[guesses.set];
    if guesses.best.is_empty() {
        return html! { p { "No clip is taken for its class." } };
    }
    let caption = |clip: usize| {
        html! {
            span.id { (word(&set.ids[clip])) }
            span { (word(&set.class(set.labels[clip]))) }
            span.soft { (percent(guesses.p[clip])) " sure" }
        }
    };
    listed(set, guesses, &guesses.best, caption)
}

fn listed(
    set: &ClipSet,
    guesses: &Guesses,
    clips: &[usize],
    caption: impl Fn(usize) -> Markup,
) -> Markup {
    let moves: Vec<usize> = clips
        .iter()
        .copied()
        .filter(|clip| set.motion.contains_key(clip))
        .collect();
    html! {
        div.gallery {
            @if !moves.is_empty() {
                p.controls { button.all type="button" { "Play all" } }
            }
            div.cards {
                @for (place, &clip) in moves.iter().enumerate() {
                    (moving(guesses.set, clip, &set.ids[clip], true, &caption(clip), place >= SHOWN))
                }
            }
            @if moves.len() > SHOWN {
                p { button.more type="button" { "Show " (moves.len() - SHOWN) " more" } }
            }
            @if moves.is_empty() { p.missing { "None of these clips moves in this page: " code { "--clips" } " says how many may." } }
        }
        details {
            summary { "As a table" }
            (scrolling("Clips", &table(set, guesses, clips)))
        }
    }
}

fn table(set: &ClipSet, guesses: &Guesses, clips: &[usize]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "clip" } th scope="col" { "class" } th scope="col" { "guess" }
                th.number scope="col" { "sure" } th.number scope="col" { "its own class" }
            } }
            tbody {
                @for &clip in clips.iter().take(ROWS) {
                    tr {
                        th scope="row" { (word(&set.ids[clip])) }
                        td { (word(&set.class(set.labels[clip]))) }
                        td { (word(&set.class(guesses.guess[clip] as i64))) }
                        td.number { (percent(guesses.p[clip])) }
                        td.number { (percent(guesses.p_true[clip])) }
                    }
                }
            }
        }
    }
}

/// The clips in planes, which a script draws.
pub fn planes(report: &Report, at: usize, planes: &[PlaneFacts]) -> Markup {
    let Some(first) = planes.first() else {
        return html! { p { "There is nothing to tell apart." } };
    };
    let set = &report.sets[first.set];
    let readout = format!("plane-readout-{at}");
    html! {
        p {
            "Each point is a clip of " (word(&set.dataset)) " " (word(&set.split)) ", in the plane in which the clips' representations \
             differ most (two principal components). The better a representation, the more clips of a class lie together."
        }
        div.planes data-run=(at) {
            p.controls {
                label { "Colour "
                    select.colour {
                        option value="most" { "the classes with most clips" }
                        @for (class, name) in set.classes.iter().enumerate() { option value=(class) { (plain(name)) } }
                    }
                }
                label { "Find a clip " input.find type="search" autocomplete="off" spellcheck="false" placeholder="part of its id"; }
            }
            ul.legend.classes {}
            div.points {
                @for (place, plane) in planes.iter().enumerate() {
                    figure.plane {
                        figcaption { (plane.name) }
                        canvas data-plane=(place) tabindex="0" role="application" aria-roledescription="scatter plot"
                            aria-label={ (plane.name) ": " (plane.places.len()) " clips; left and right arrow keys go from clip to clip" }
                            aria-describedby=(readout) {}
                        p.soft {
                            "The plane holds " (percent(plane.shares[0] + plane.shares[1])) " of the variance: "
                            (percent(plane.shares[0])) " and " (percent(plane.shares[1])) "."
                        }
                    }
                }
                div.shown {
                    canvas.clip role="img" aria-label="The movement of the chosen clip" hidden {}
                    button.play type="button" hidden { "Play" }
                    p.readout id=(readout) role="status" { "Choose a point with the pointer, or with the arrow keys." }
                }
            }
        }
        details {
            summary { "As a table: where each class lies" }
            (scrolling("Where each class lies", &centres(set, planes)))
        }
    }
}

/// The middle of each class in each plane, and how far its clips are from it.
fn centres(set: &ClipSet, planes: &[PlaneFacts]) -> Markup {
    let classes = (0..set.classes.len()).filter(|&class| set.labels.contains(&(class as i64)));
    let of = |plane: &PlaneFacts, class: usize| {
        let clips = set.labels.iter().zip(&plane.places);
        let places = clips.filter(|(label, _)| **label == class as i64);
        let places: Vec<[f64; 2]> = places.map(|(_, place)| place.map(f64::from)).collect();
        let n = places.len().max(1) as f64;
        let middle = [0, 1].map(|axis| places.iter().map(|place| place[axis]).sum::<f64>() / n);
        let off = places
            .iter()
            .map(|place| (place[0] - middle[0]).hypot(place[1] - middle[1]));
        (middle, off.sum::<f64>() / n)
    };
    html! {
        table {
            caption { "The middle of its clips, and their mean distance from it; a plane goes from -1000 to 1000." }
            thead { tr { th scope="col" { "class" } @for plane in planes { th.number scope="col" { (plane.name) } } } }
            tbody {
                @for class in classes {
                    tr {
                        th scope="row" { (word(&set.classes[class])) }
                        @for plane in planes {
                            @let (middle, off) = of(plane, class);
                            td.number { (format!("{:.0}, {:.0} ± {off:.0}", middle[0], middle[1])) }
                        }
                    }
                }
            }
        }
    }
}

/// Input, masked, reconstructed.
pub fn reconstruction(at: usize, made: &Reconstructed) -> Markup {
    html! {
        p { "By " (word(&made.model)) ". Joints are hidden by the mask that it was trained with, and put back from the others: red, upon the truth in grey." }
        div.gallery {
            p.controls { button.all type="button" { "Play all" } }
            div.threes { @for (place, clip) in made.clips.iter().enumerate() { (three(at, place, clip)) } }
        }
        @if let Some(parts) = &made.parts {
            h3 { "Each part hidden in turn" }
            p { "Clips of " (word(&parts.split)) ": mean distance of the hidden joints from where they were, in the clips' normalised units." }
            (scrolling("Errors by part", &by_part(&parts.parts, &parts.all)))
        }
        details {
            summary { "The clips as a table" }
            (scrolling("Reconstructed clips", &clips(&made.clips)))
        }
    }
}

fn three(at: usize, place: usize, clip: &ReconstructedClip) -> Markup {
    let id = plain(&clip.id);
    html! {
        figure.three data-run=(at) data-made=(place) {
            div {
                @for (view, words) in [("input", "input"), ("masked", "what it sees"), ("made", "put back (red)")] {
                    div { canvas.clip data-view=(view) role="img" aria-label={ "Clip " (id) ": " (words) } {} span { (words) } }
                }
            }
            button.play type="button" aria-label={ "Play clip " (id) } { "Play" }
            figcaption {
                span.id { (word(&clip.id)) }
                @if let Some(class) = &clip.class { span { (word(class)) } }
                span { "hidden: " (clip.words) }
                @if let Some((model, neighbours)) = clip.errors {
                    span.soft { "off by " (format!("{model:.2}")) "; the mean of the nearest visible joints by " (format!("{neighbours:.2}")) }
                } @else {
                    span.soft { "no hidden joint was seen" }
                }
            }
        }
    }
}

fn by_part(parts: &[PartReport], all: &PartReport) -> Markup {
    let rows = || parts.iter().chain([all]);
    let errors = rows()
        .flat_map(|part| [part.model, part.neighbours])
        .flatten();
    let most = errors.fold(f64::MIN_POSITIVE, f64::max);
    let cells = |error: Option<f64>| {
        html! {
            td.number { @if let Some(error) = error { (format!("{error:.3}")) } @else { "none seen" } }
            td.bars { @if let Some(error) = error { (bar(error / most)) } }
        }
    };
    html! {
        table {
            thead { tr {
                th scope="col" { "hidden part" } th.number scope="col" { "model" } th scope="col" { span.hidden { "as a bar" } }
                th.number scope="col" { "nearest visible joints" } th scope="col" { span.hidden { "as a bar" } }
            } }
            tbody { @for part in rows() { tr { th scope="row" { (word(&part.part)) } (cells(part.model)) (cells(part.neighbours)) } } }
        }
    }
}

fn clips(clips: &[ReconstructedClip]) -> Markup {
    html! {
        table {
            caption { (count(clips.len(), "clip")) }
            thead { tr {
                th scope="col" { "clip" } th scope="col" { "class" } th scope="col" { "hidden" }
                th.number scope="col" { "model" } th.number scope="col" { "nearest visible joints" }
            } }
            tbody { @for clip in clips { tr {
                th scope="row" { (word(&clip.id)) }
                td { @if let Some(class) = &clip.class { (word(class)) } }
                td { (clip.words) }
                td.number { @if let Some((model, _)) = clip.errors { (format!("{model:.3}")) } }
                td.number { @if let Some((_, neighbours)) = clip.errors { (format!("{neighbours:.3}")) } }
            } } }
        }
    }
}
