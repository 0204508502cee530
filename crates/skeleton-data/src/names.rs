//! What clips, classes, splits and data sets can be called, and how many there can be of what has no numbers.

/// The longest name in bytes: longer ones can't be meant.
pub(crate) const LONGEST_NAME: usize = 1024;

/// Most classes that are numbered, not named: far above any set's, and the square of it, which confusions are as large as, still
/// fits into a memory.
pub const MOST_CLASSES: u32 = 1 << 12;

/// Most people, frames or joints that a clip without numbers says: nothing else bounds them.
pub(crate) const MOST_WITHOUT_NUMBERS: usize = 1 << 20;

/// What is expected of a label that is a number.
pub(crate) fn expected_label() -> String {
    format!("a class from 0 to {}", MOST_CLASSES - 1)
}

/// Whether a name is short and can be printed in a line: it has no control characters, by which a file could steer the
/// terminal that shows its names, or begin a line of its own.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// What was expected where [`is_name`] refuses.
pub(crate) fn expected(what: &str) -> String {
    format!("{what} of 1 to {LONGEST_NAME} bytes without control characters")
}

/// What was found there instead.
pub(crate) fn found(name: &str) -> String {
    match name.len() {
        len @ 1..=LONGEST_NAME => format!("one with a control character in {len} bytes"),
        len => format!("one of {len} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_printable() {
        for name in [
            "a",
            "ständ up",
            "S001C001P001R001A001",
            "行动 ✓",
            &"x".repeat(LONGEST_NAME),
        ] {
            assert!(is_name(name), "{name:?}");
        }
        for name in [
            "",
            "n\0l",
            "two\nlines",
            "\u{1b}[31mred",
            "tab\t",
            "\u{9b}31m",
            "\u{7f}",
        ] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(!is_name(&"x".repeat(LONGEST_NAME + 1)));
        assert_eq!(found("a\tb"), "one with a control character in 3 bytes");
        assert_eq!(found(""), "one of 0 bytes");
    }
}
