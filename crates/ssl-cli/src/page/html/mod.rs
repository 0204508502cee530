//! How pages look: markup by maud, drawings by the program's one SVG writer, movement by the one script that plays it.

mod clips;
mod compared;
mod curves;
mod measured;
mod predicted;
mod reproduced;
mod runs;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use skeleton_data::draw::{DARK, FIGURE_JS, LIGHT, SERIES_NAMES, plain, script};

pub use self::predicted::{Predicted, PredictedClips, predicted};
pub use self::reproduced::{Cell, Grid, Gridded, Tables, reproduced};
pub use self::runs::report;
use super::statistics::Share;
use crate::report::percent;

/// What a page may do: what is in it, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// A whole page: `nav` are the ids of its sections with their names, `data` what its script reads.
fn page(title: &str, nav: &[(String, String)], body: &Markup, data: &impl Serialize) -> String {
    let title = plain(title);
    // Numbers, text and lists: serde_json writes them all.
    let data = serde_json::to_value(data).unwrap_or_default();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(LIGHT)) (PreEscaped(DARK)) (PreEscaped(SERIES_NAMES)) (PreEscaped(include_str!("page.css"))) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    div.wide {
                        h1 { bdi { (title) } }
                        @if !nav.is_empty() {
                            nav aria-label="On this page" {
                                @for (id, name) in nav { a href={ "#" (id) } { (plain(name)) } }
                            }
                        }
                    }
                }
                main.wide #main tabindex="-1" { (body) }
                footer {
                    div.wide { p { "Made by ssl " (env!("CARGO_PKG_VERSION")) ". Everything is in this file; it loads nothing." } }
                }
                script type="application/json" id="report" { (PreEscaped(script(&data))) }
                script { (PreEscaped(FIGURE_JS)) (PreEscaped(include_str!("page.js"))) }
            }
        }
    }
    .into_string()
}

/// A stranger's words: whichever way they are written, what is around them is not turned.
fn word(text: &str) -> Markup {
    html! { bdi { (plain(text)) } }
}

/// What isn't there, and what to type to have it.
fn missing(why: &str, hint: Option<&str>) -> Markup {
    html! {
        div.missing {
            p { (plain(why)) "." }
            @if let Some(hint) = hint { p { "To have it: " code { (plain(hint)) } } }
        }
    }
}

/// `73.9 %` with its interval behind it.
fn interval(share: &Share) -> Markup {
    html! {
        (percent(share.value)) " "
        span.interval { "(" (format!("{:.1}", 100.0 * share.low)) " to " (format!("{:.1}", 100.0 * share.high)) ")" }
    }
}

/// A bar of a share from 0 to 1; its number stands beside it.
fn bar(share: f64) -> Markup {
    let width = format!("width:{:.1}%", 100.0 * share.clamp(0.0, 1.0));
    html! { span.bar aria-hidden="true" { span style=(width) {} } }
}

/// A table that is wider than a phone scrolls by itself, with the keyboard too.
fn scrolling(label: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(plain(label)) { (table) } }
}

/// The head of a column that sorts its table when it is pressed.
fn sorting(name: &str, class: &str) -> Markup {
    html! { th scope="col" class=(class) { button.sort type="button" { (name) } } }
}

/// A clip that moves, or a place for it where its movement isn't in the page.
fn moving(
    set: usize,
    clip: usize,
    id: &str,
    moves: bool,
    caption: &Markup,
    hidden: bool,
) -> Markup {
    html! {
        figure.card hidden[hidden] data-set=(set) data-clip=(clip) {
            @if moves {
                canvas.clip role="img" aria-label={ "The movement of clip " (plain(id)) } {}
                button.play type="button" aria-label={ "Play clip " (plain(id)) } { "Play" }
            } @else {
                p.still { "Its movement is not in this page." }
            }
            figcaption { (caption) }
        }
    }
}
