//! An animation as one HTML file that needs nothing else.

use std::fmt::Write as _;

use serde_json::json;

use super::scene::Scene;
use super::svg::{DARK, LIGHT};
use super::{Caption, plain, steers, strip, xml};

/// What draws a skeleton on a canvas, as the script of a page: `Figure.palette()`, `Figure.fit(canvas)`, `Figure.draw(...)`.
pub const FIGURE_JS: &str = include_str!("figure.js");
/// Frames of an animation at most: of longer clips, evenly spaced ones are taken.
const MOST_FRAMES: usize = 2_000;
/// Steps of the scene's unit in the page's whole numbers.
const STEPS: f32 = 1_000.0;

/// A page that plays a clip: with play, a slider, speed, keys, and in space a view that can be turned. Everything is in the
/// file; its policy forbids loading anything.
pub fn animation(scene: &Scene, caption: &Caption<'_>) -> String {
    let frames = scene.spaced(MOST_FRAMES);
    let skipped = match frames.len() {
        shown if shown < scene.frames => format!(
            " Of {} frames, {shown} evenly spaced ones are shown.",
            scene.frames
        ),
        _ => String::new(),
    };
    let (views, turn) = match scene.spatial {
        true => (VIEWS, TURN),
        false => ("", ""),
    };
    let values = [
        ("colours", [LIGHT, DARK].concat()),
        ("style", include_str!("player.css").to_owned()),
        ("script", [FIGURE_JS, include_str!("player.js")].concat()),
        ("id", xml(caption.id)),
        ("facts", xml(&format!("{}.{skipped}", caption.facts(scene)))),
        ("legend", legend(scene)),
        ("people", people(scene)),
        ("views", views.to_owned()),
        ("turn", turn.to_owned()),
        ("strip", strip(scene, caption, 8)),
        ("data", script(&data(scene, &frames))),
    ];
    // The template's places are found once: what is put in can't name another.
    let mut page = String::new();
    let mut rest = include_str!("player.html");
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(before);
        let value = values.iter().find(|(key, _)| *key == name);
        page.push_str(value.map_or("", |(_, text)| text));
        rest = after;
    }
    page + rest
}

const VIEWS: &str = "<span class=\"group\" role=\"group\" aria-label=\"View\">\
<button type=\"button\" data-turn=\"0\" data-tilt=\"0\">Camera</button>\
<button type=\"button\" data-turn=\"90\" data-tilt=\"0\">Side</button>\
<button type=\"button\" data-turn=\"0\" data-tilt=\"89\">Above</button></span>";
const TURN: &str = "<dt>Drag, or <kbd>A</kbd> <kbd>D</kbd> <kbd>W</kbd> <kbd>S</kbd></dt><dd>turn the view (<kbd>0</kbd>: as the camera saw it)</dd>";

fn legend(scene: &Scene) -> String {
    let item = |[class, words]: [&str; 2]| format!("<li><i class=\"{class}\"></i>{words}</li>");
    scene.legend().map(|paint| item(paint.names())).collect()
}

/// A checkbox for each person, where there are several.
fn people(scene: &Scene) -> String {
    if scene.people.len() < 2 {
        return String::new();
    }
    let boxes = scene.people.iter().enumerate().map(|(index, person)| {
        let style = if index == 0 { "filled" } else { "hollow" };
        format!("<label><input type=\"checkbox\" data-person=\"{index}\" checked> Person {} ({style})</label>", person.number)
    });
    boxes.collect()
}

/// What the script draws: places in whole numbers, `null` where a joint is missing.
fn data(scene: &Scene, frames: &[usize]) -> serde_json::Value {
    let v = scene.joints.len();
    let axes = if scene.spatial { 3 } else { 2 };
    let whole = |x: f32| (x * STEPS).round() as i32;
    let people = scene.people.iter().map(|person| {
        let joints = || frames.iter().flat_map(|frame| frame * v..(frame + 1) * v);
        let places = joints().map(|joint| {
            person.places[joint]
                .map(|place| place[..axes].iter().map(|&x| whole(x)).collect::<Vec<_>>())
        });
        let scores = person.scores.as_ref().map(|scores| {
            joints()
                .map(|joint| (scores[joint].clamp(0.0, 1.0) * 100.0).round() as i32)
                .collect::<Vec<_>>()
        });
        json!({ "number": person.number, "places": places.collect::<Vec<_>>(), "scores": scores })
    });
    json!({
        "frames": frames,
        "joints": scene.joints.iter().map(|name| plain(name)).collect::<Vec<_>>(),
        "bones": scene.bones,
        "paints": scene.paints.iter().map(|paint| paint.class()).collect::<Vec<_>>(),
        "people": people.collect::<Vec<_>>(),
        "spatial": scene.spatial,
        "missing": frames.iter().map(|&frame| scene.trace.missing[frame]).collect::<Vec<_>>(),
        "steps": frames.iter().map(|&frame| (scene.trace.steps[frame] * STEPS).round() as i32).collect::<Vec<_>>(),
        "fastest": frames.iter().map(|&frame| scene.trace.fastest[frame]).collect::<Vec<_>>(),
    })
}

/// JSON for a script element: nothing in it can end the element or open a comment, or turn the direction of writing for who reads
/// the file as text.
pub fn script(value: &serde_json::Value) -> String {
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // All of these stand in strings only, where the escape means the same.
        if matches!(c, '<' | '>' | '&') || steers(c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}
