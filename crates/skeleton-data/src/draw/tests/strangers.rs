//! Words from strangers' files, and what a page may contain.

use super::*;

#[test]
fn strangers_words_stay_words() {
    const EVIL: &str = "</title></script><script>alert(1)</script><img/src='x'onerror=\"alert(1)\">&amp;<!--{{data}}\u{202e}\u{1b}[31m\u{0}";
    let (clip, layout) = tiny();
    let toml = layout
        .to_toml()
        .replace("left_hand", "</script><b onclick=1>")
        .replace("head", "<!--<script>&{{id}}");
    let layout = Layout::from_toml(&toml, "tests").unwrap();
    let seen = scene(&clip.view(), &layout, Units::Pixel);
    let caption = Caption {
        id: EVIL,
        class: Some(EVIL.into()),
        dataset: EVIL,
    };
    let (svg, page) = (strip(&seen, &caption, 8), animation(&seen, &caption));
    xml::check(&svg);
    for text in [&svg, &page] {
        let unwanted = [
            "alert(1)</script>",
            "<img",
            "<b ",
            "onclick=1>",
            "<!--",
            "\u{202e}",
            "\u{1b}",
            "\u{0}",
            "src='x'onerror=\"",
        ];
        for word in unwanted {
            assert!(!text.contains(word), "{word:?} in {text}");
        }
    }
    // Two scripts of ours: the data and the player.
    assert_eq!(
        (
            page.matches("<script").count(),
            page.matches("</script>").count()
        ),
        (2, 2)
    );
    let data = page
        .split("id=\"data\">")
        .nth(1)
        .unwrap()
        .split("</script>")
        .next()
        .unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(
        data["joints"][2], "</script><b onclick=1>",
        "the script's JSON holds the name itself"
    );
}

#[test]
fn a_page_needs_nothing_else() {
    let (two, layout) = pair();
    let page = animation(&scene(&two.view(), &layout, Units::Metre), &caption("two"));
    let namespace = "xmlns=\"http://www.w3.org/2000/svg\"";
    let rest = page.replace(namespace, "");
    for word in [
        "http:",
        "https:",
        "//www",
        " src=",
        "href",
        "url(",
        "@import",
        "import(",
        "fetch(",
        "XMLHttpRequest",
        "eval(",
        "innerHTML",
    ] {
        assert!(!rest.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'") && page.is_ascii());
}

#[test]
fn long_clips_are_thinned_out() {
    let row = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let values: Vec<f32> = (0..9000)
        .flat_map(|frame| row.map(|x| x + frame as f32 * 0.01))
        .collect();
    let seen = scene(&clip(values, 1, 9000, 4, 2).view(), &tiny().1, Units::Pixel);
    let (svg, page) = (
        strip(&seen, &caption("x"), 24),
        animation(&seen, &caption("x")),
    );
    assert!(
        svg.len() < 60_000 && page.len() < 400_000,
        "{} {}",
        svg.len(),
        page.len()
    );
    assert!(page.contains("Of 9000 frames, 2000 evenly spaced ones are shown."));
    assert_eq!(
        (seen.spaced(3), seen.spaced(1)),
        (vec![0, 4499, 8999], vec![0])
    );
}
