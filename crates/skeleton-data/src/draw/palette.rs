//! Colours that stand for body sides: Okabe and Ito's, which colour-blind people tell apart. Blue is left, orange is right.

use skeleton_graph::Layout;

/// What a bone or joint is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Paint {
    Middle,
    LeftUpper,
    LeftLower,
    RightUpper,
    RightLower,
}

impl Paint {
    pub const ALL: [Paint; 5] = [
        Paint::LeftUpper,
        Paint::LeftLower,
        Paint::RightUpper,
        Paint::RightLower,
        Paint::Middle,
    ];

    /// The class name in style sheets.
    pub fn class(self) -> &'static str {
        match self {
            Paint::Middle => "mid",
            Paint::LeftUpper => "lu",
            Paint::LeftLower => "ll",
            Paint::RightUpper => "ru",
            Paint::RightLower => "rl",
        }
    }

    /// In words, for a legend.
    pub fn words(self) -> &'static str {
        match self {
            Paint::Middle => "head, torso",
            Paint::LeftUpper => "left arm",
            Paint::LeftLower => "left leg",
            Paint::RightUpper => "right arm",
            Paint::RightLower => "right leg",
        }
    }

    /// By the name of a part: its side and whether it is a leg.
    fn of(part: &str) -> Paint {
        let part = part.to_lowercase();
        let leg = ["leg", "foot", "knee"]
            .iter()
            .any(|word| part.contains(word));
        match (part.contains("left"), part.contains("right"), leg) {
            (true, false, false) => Paint::LeftUpper,
            (true, false, true) => Paint::LeftLower,
            (false, true, false) => Paint::RightUpper,
            (false, true, true) => Paint::RightLower,
            _ => Paint::Middle,
        }
    }
}

/// How each joint, and the bone to its parent, is drawn.
pub(super) fn paints(layout: &Layout) -> Vec<Paint> {
    let mut paints = vec![Paint::Middle; layout.len()];
    for part in layout.parts() {
        for &joint in &part.joints {
            paints[joint] = Paint::of(&part.name);
        }
    }
    paints
}

/// Style rules of the colours, light and dark.
pub(super) const COLOURS: &str = "\
:root{--bg:#fff;--panel:#f4f5f7;--line:#d5d8de;--ink:#1c2230;--soft:#5b6475;--bad:#b3261e;\
--mid:#4a5160;--lu:#0072b2;--ll:#56b4e9;--ru:#d55e00;--rl:#e69f00}
@media (prefers-color-scheme:dark){:root{--bg:#14171d;--panel:#1d2129;--line:#333a46;--ink:#e8eaf0;--soft:#a3abbb;--bad:#ff8a80;\
--mid:#b4bbc9;--lu:#3ba3e0;--ll:#9ad4f5;--ru:#f0803c;--rl:#f5c04d}}
";
