//! Numbers from strangers' files.

use super::*;

#[test]
fn whatever_the_numbers_a_drawing_is_finite() {
    let extremes = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        1e-45,
        -0.0,
        0.0,
        1.0,
    ];
    for coordinates in [2, 3] {
        for shift in 0..extremes.len() {
            let values: Vec<f32> = (0..2 * 4 * 4 * coordinates)
                .map(|i| extremes[(i * 7 + shift + i / 5) % 10])
                .collect();
            let clip = clip(values, 2, 4, 4, coordinates);
            for units in [Units::Pixel, Units::Metre, Units::Normalised] {
                finite(&scene(&clip.view(), &tiny().1, units));
            }
        }
        for one in extremes {
            finite(&scene(
                &clip(vec![one; 4 * 3 * coordinates], 1, 3, 4, coordinates).view(),
                &tiny().1,
                Units::Metre,
            ));
        }
    }
    for (persons, frames) in [(0, 0), (0, 5), (3, 0)] {
        let empty = scene(
            &clip(Vec::new(), persons, frames, 4, 3).view(),
            &tiny().1,
            Units::Metre,
        );
        finite(&empty);
    }
}

/// The texts hold no number that isn't one, and none far out.
#[track_caller]
fn finite(seen: &Scene) {
    let (svg, page) = (
        strip(seen, &caption("x"), 8),
        animation(seen, &caption("x")),
    );
    xml::check(&svg);
    let words = svg.split(|c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c)));
    for word in words.filter(|word| word.len() > 1) {
        assert!(!["NaN", "inf", "-inf"].contains(&word), "{svg}");
        if let Ok(number) = word.parse::<f64>() {
            assert!(number.abs() < 1e6, "{number} in {svg}");
        }
    }
    let data = page
        .split("id=\"data\">")
        .nth(1)
        .unwrap()
        .split("</script>")
        .next()
        .unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    for place in data["people"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|person| person["places"].as_array().unwrap())
    {
        let numbers = place.as_array().map_or(&[][..], |numbers| numbers);
        assert!(
            numbers
                .iter()
                .all(|n| n.as_i64().is_some_and(|n| n.abs() <= 8000)),
            "{place}"
        );
    }
}
