//! Rust text as tokens. Comments and whitespace go; what stands in a string stays one token, so that a `//` or a brace in it
//! means nothing.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A keyword or an identifier; `r#type` has the text `type`.
    Word,
    /// A string, a character or a number.
    Literal,
    /// `'a`, also as a loop's label.
    Lifetime,
    /// One character of punctuation: `::` is two of them.
    Mark,
}

/// A piece of code, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its text; that of a string has the quotes and may go over several lines.
    pub text: &'a str,
    /// The line it begins in, counted from 1.
    pub line: usize,
}

impl Token<'_> {
    /// Whether this is the punctuation `mark`.
    pub fn is_mark(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }

    /// Whether this is the keyword or identifier `word`.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }
}

/// The tokens of a text. What is not valid Rust, such as a string without an end, gives some tokens too: the compiler refuses it.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if rest.starts_with("//") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (None, block_comment(rest))
        } else {
            let (kind, length) = token(rest);
            (Some(kind), length)
        };
        let part = &rest[..length];
        if let Some(kind) = kind {
            let text = match kind {
                Kind::Word => part.strip_prefix("r#").unwrap_or(part),
                _ => part,
            };
            found.push(Token { kind, text, line });
        }
        line += part.matches('\n').count();
        at += length;
    }
    found
}

/// The kind and length of the token that `rest` begins with.
fn token(rest: &str) -> (Kind, usize) {
    let word = word(rest);
    let after = &rest[word..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    match (&rest[..word], after.chars().next()) {
        ("r" | "br" | "cr", Some('"' | '#')) if after[hashes..].starts_with('"') => {
            (Kind::Literal, word + raw_string(after, hashes))
        }
        ("b" | "c", Some('"')) => (Kind::Literal, word + quoted(after, '"')),
        ("b", Some('\'')) => (Kind::Literal, word + quoted(after, '\'')),
        ("r", Some('#')) => (Kind::Word, word + 1 + self::word(&after[1..])),
        ("", Some('"')) => (Kind::Literal, quoted(rest, '"')),
        ("", Some('\'')) => character_or_lifetime(rest),
        ("", first) => (Kind::Mark, first.map_or(0, char::len_utf8)),
        (number, _) if number.starts_with(|c: char| c.is_ascii_digit()) => {
            // `1.5` is one number, `1..5` and `1.max(5)` are not.
            let fraction = after
                .strip_prefix('.')
                .filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
                .map_or(0, |digits| 1 + self::word(digits));
            (Kind::Literal, word + fraction)
        }
        _ => (Kind::Word, word),
    }
}

/// The length of the word or number at the beginning, 0 if there is none.
fn word(rest: &str) -> usize {
    rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(rest.len())
}

/// The length of a comment, comments within it included.
fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        let bytes = &rest.as_bytes()[at..];
        if bytes.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a raw string from its first `#` or quote on.
fn raw_string(rest: &str, hashes: usize) -> usize {
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = hashes + 1;
    rest[inside..]
        .find(&end)
        .map_or(rest.len(), |at| inside + at + end.len())
}

/// The length of a string or character with its quotes, where a backslash takes the next character's meaning.
fn quoted(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// `'a'` and `'\''` are characters, `'a` is a lifetime.
fn character_or_lifetime(rest: &str) -> (Kind, usize) {
    let mut inside = rest[1..].chars();
    let (first, second) = (inside.next(), inside.next());
    if first == Some('\\') || second == Some('\'') {
        (Kind::Literal, quoted(rest, '\''))
    } else {
        (Kind::Lifetime, 1 + word(&rest[1..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).iter().map(|token| token.text).collect()
    }

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).iter().map(|token| token.kind).collect()
    }

    #[test]
    fn comments_go_and_strings_stay() {
        assert_eq!(
            texts("a // b \"\n/* c /* d */ e */ f /// g\n//! h"),
            ["a", "f"]
        );
        assert_eq!(
            texts(r#"a("http://x", "/*", "\"//")"#),
            [
                "a",
                "(",
                r#""http://x""#,
                ",",
                r#""/*""#,
                ",",
                r#""\"//""#,
                ")"
            ]
        );
    }

    #[test]
    fn raw_byte_and_c_strings_end_where_rust_ends_them() {
        let text = r###"r"\" r#"a"//"# br##""#"## b"\"" c"x" cr#"""# r#type"###;
        assert_eq!(
            texts(text),
            [
                r#"r"\""#,
                r##"r#"a"//"#"##,
                r###"br##""#"##"###,
                r#"b"\"""#,
                r#"c"x""#,
                r##"cr#"""#"##,
                "type",
            ]
        );
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        use Kind::{Lifetime, Literal, Mark, Word};
        assert_eq!(
            texts(r#"'"' '\'' '/' b'\'' '\u{41}' x"#),
            ["'\"'", r"'\''", "'/'", r"b'\''", r"'\u{41}'", "x"]
        );
        assert_eq!(kinds("'a' &'a 'é'"), [Literal, Mark, Lifetime, Literal]);
        assert_eq!(
            kinds("<'a,'b>'c: loop"),
            [Mark, Lifetime, Mark, Lifetime, Mark, Lifetime, Mark, Word]
        );
    }

    #[test]
    fn numbers_are_literals_and_ranges_are_not_numbers() {
        assert_eq!(
            texts("1.5 0x1F 1..2 1.max(2) t.0"),
            [
                "1.5", "0x1F", "1", ".", ".", "2", "1", ".", "max", "(", "2", ")", "t", ".", "0"
            ]
        );
    }

    #[test]
    fn lines_are_those_where_tokens_begin() {
        let text = "a\n\"b\n\nc\" d /*\n*/ e";
        let lines: Vec<usize> = tokens(text).iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 4, 5]);
    }

    #[test]
    fn what_has_no_end_ends_with_the_text() {
        for text in ["\"a", "/* a", "r#\"a\"", "'", "'\\", "b'", "é\"é", "1→"] {
            let tokens = tokens(text);
            assert!(tokens.len() <= 2, "{text}: {tokens:?}");
        }
    }
}
