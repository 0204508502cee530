//! Enough of an XML reader to tell whether a drawing is well-formed.

/// Fails unless tags match, attributes are quoted and unique, and `<` and `&` stand only where they may.
#[track_caller]
pub fn check(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        words(before);
        assert!(
            !open.is_empty() || before.trim().is_empty(),
            "text outside of the root: {before:?}"
        );
        let (tag, after) = after.split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed");
            continue;
        }
        let (tag, empty) = tag
            .strip_suffix('/')
            .map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        assert!(
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()),
            "a tag's name: {name:?}"
        );
        assert!(!open.is_empty() || roots == 0, "one root");
        roots += usize::from(open.is_empty());
        check_attributes(attributes);
        if !empty {
            open.push(name);
        }
    }
    assert!(
        rest.trim().is_empty() && open.is_empty() && roots == 1,
        "left open: {open:?}, after the end: {rest:?}"
    );
}

#[track_caller]
fn check_attributes(mut rest: &str) {
    let mut seen = Vec::new();
    while let Some((name, after)) = rest.split_once("=\"") {
        let name = name.trim();
        assert!(
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "an attribute: {name:?}"
        );
        assert!(!seen.contains(&name), "{name} twice");
        seen.push(name);
        let (value, after) = after.split_once('"').expect("a value ends");
        words(value);
        assert!(
            after.is_empty() || after.starts_with(char::is_whitespace),
            "after a value: {after:?}"
        );
        rest = after;
    }
    assert!(rest.trim().is_empty(), "no attribute: {rest:?}");
}

/// Character data: entities that XML knows, no control characters.
#[track_caller]
fn words(text: &str) {
    for after in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(
            known.iter().any(|entity| after.starts_with(entity)),
            "an entity: &{after}"
        );
    }
    assert!(
        text.chars().all(|c| !c.is_control() || c == '\n'),
        "a control character in {text:?}"
    );
}
