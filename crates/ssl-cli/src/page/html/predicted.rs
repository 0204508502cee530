//! The page of `ssl predict --html`: clips, what they are taken for, and how they move.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Serialize;
use skeleton_data::draw::{Motion, Skeleton};

use super::{bar, moving, page, percent, scrolling, word};
use crate::report::{Prediction, count};

/// Clips shown before "more" is pressed.
const SHOWN: usize = 12;

/// What the page says.
#[derive(Serialize)]
pub struct Predicted<'a> {
    /// The checkpoint.
    model: &'a str,
    /// Where the clips are from.
    data: &'a str,
    /// The clips, as the script looks for them.
    sets: [PredictedClips; 1],
    /// There is no run to draw.
    runs: [(); 0],
}

/// The clips.
#[derive(Serialize)]
pub struct PredictedClips {
    pub skeleton: Skeleton,
    /// By their places in `clips`.
    pub motion: BTreeMap<usize, Motion>,
    /// In the order of their ids.
    pub clips: Vec<Prediction>,
}

impl Predicted<'_> {
    /// What a checkpoint says of the clips from somewhere.
    pub fn new<'a>(model: &'a str, data: &'a str, clips: PredictedClips) -> Predicted<'a> {
        Predicted {
            model,
            data,
            sets: [clips],
            runs: [],
        }
    }
}

/// The page.
pub fn predicted(predicted: &Predicted<'_>) -> String {
    let set = &predicted.sets[0];
    let body = html! {
        section #clips aria-labelledby="clips-title" {
            h2 id="clips-title" { (count(set.clips.len(), "clip")) }
            p { "Of " (word(predicted.data)) ", by " (word(predicted.model)) ". The bars are probabilities." }
            div.gallery {
                @if !set.motion.is_empty() { p.controls { button.all type="button" { "Play all" } } }
                div.cards.wide-cards {
                    @for (at, clip) in set.clips.iter().enumerate() {
                        (moving(0, at, &clip.id, set.motion.contains_key(&at), &caption(clip), at >= SHOWN))
                    }
                }
                @if set.clips.len() > SHOWN { p { button.more type="button" { "Show " (set.clips.len() - SHOWN) " more" } } }
            }
            details { summary { "As a table" } (scrolling("Predictions", &table(set))) }
        }
    };
    page(
        &format!("Predictions of {}", predicted.data),
        &[],
        &body,
        predicted,
    )
}

fn caption(clip: &Prediction) -> Markup {
    html! {
        span.id { (word(&clip.id)) }
        @match &clip.top {
            None => span.soft { "shows nobody" },
            Some(top) => ol.guesses {
                @for guess in top { li { span { (word(&guess.name)) } (bar(guess.p)) span.number { (percent(guess.p)) } } }
            },
        }
    }
}

fn table(set: &PredictedClips) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "clip" } th scope="col" { "classes, likeliest first" } } }
            tbody { @for clip in &set.clips { tr {
                th scope="row" { (word(&clip.id)) }
                td {
                    @match &clip.top {
                        None => "shows nobody",
                        Some(top) => { @for (at, guess) in top.iter().enumerate() {
                            @if at > 0 { ", " } (word(&guess.name)) " " (percent(guess.p))
                        } },
                    }
                }
            } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use skeleton_graph::Layout;

    use super::*;
    use crate::page::tests::HOSTILE;

    #[test]
    fn each_clip_has_its_guesses_and_strangers_names_are_words() {
        let classes = [HOSTILE, "b"].map(String::from);
        let made = Prediction::new(HOSTILE.into(), &[0.75, 0.25], &classes, 5);
        let nobody = Prediction {
            id: "empty".into(),
            top: None,
        };
        let page = predicted(&Predicted::new(
            "runs/a",
            HOSTILE,
            PredictedClips {
                skeleton: Skeleton::of(&Layout::built_in("coco17").unwrap()),
                motion: BTreeMap::new(),
                clips: vec![made, nobody],
            },
        ));
        assert!(page.contains("75.0 %") && page.contains("shows nobody"));
        assert_eq!(
            (
                page.matches("<script").count(),
                page.matches("<img").count()
            ),
            (2, 0)
        );
    }
}
