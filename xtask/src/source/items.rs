//! What a file declares and names: its modules, its imports, the paths in its code, and which part of it is tests.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::tokens::{Kind, Token};

/// A `mod` line or block.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The file that `#[path = "..."]` names.
    pub path: Option<String>,
    /// Whether it is compiled for tests only. What it holds is not listed then.
    pub test: bool,
    /// What it holds, where it has no file of its own.
    pub inline: Option<Items>,
}

/// One leaf of a `use`.
#[derive(Debug, PartialEq, Eq)]
pub struct Import {
    /// As it is written, without a last `self` or `*`; its first segment is empty in `use ::krate::x`.
    pub path: Vec<String>,
    /// What it is called here; nothing for `*`.
    pub name: Option<String>,
    /// Whether it stands in a block, so that nobody else can use it.
    pub local: bool,
    /// Its line.
    pub line: usize,
}

/// A module's contents, without those of its tests.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// Modules within.
    pub modules: Vec<Module>,
    /// Imports, also those of functions.
    pub imports: Vec<Import>,
    /// Paths of two or more segments and the lines they are in.
    pub paths: Vec<(Vec<String>, usize)>,
    /// Words outside of paths, and the line of the first use of each.
    pub words: BTreeMap<String, usize>,
    /// Names of the functions, types, constants and macros defined here.
    pub defined: BTreeSet<String>,
    /// Macros that `#[macro_export]` puts into the crate's root.
    pub exported_macros: BTreeSet<String>,
}

/// A file read to its end.
#[derive(Debug)]
pub struct File {
    /// What it holds.
    pub items: Items,
    /// The tokens that are compiled for tests only, in order.
    pub tests: Vec<Range<usize>>,
}

impl File {
    /// Reads a file's tokens.
    pub fn read(tokens: &[Token<'_>]) -> Self {
        let mut reader = Reader {
            tokens,
            at: 0,
            tests: Vec::new(),
        };
        let items = reader.module(tokens.len());
        Self {
            items,
            tests: reader.tests,
        }
    }

    /// Whether all of the file is tests: `#![cfg(test)]`.
    pub fn is_test(&self) -> bool {
        self.tests.first().is_some_and(|tests| tests.start == 0)
            && self.items == Items::default()
            && self.tests.len() == 1
    }
}

/// What the attributes in front of an item say.
#[derive(Default)]
struct Attributes {
    test: bool,
    exported: bool,
    path: Option<String>,
}

struct Reader<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    tests: Vec<Range<usize>>,
}

impl Reader<'_, '_> {
    fn is_mark(&self, at: usize, mark: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_mark(mark))
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_word(word))
    }

    /// The word at a place, if one is there.
    fn word(&self, at: usize) -> Option<&str> {
        let token = self.tokens.get(at)?;
        (token.kind == Kind::Word).then_some(token.text)
    }

    fn is_separator(&self, at: usize) -> bool {
        self.is_mark(at, ":") && self.is_mark(at + 1, ":")
    }

    /// The place of the bracket that closes the one at `open`.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match (token.kind, token.text) {
                (Kind::Mark, "(" | "[" | "{") => depth += 1,
                (Kind::Mark, ")" | "]" | "}") => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len()
    }

    /// Reads a module's contents, from here to the token `end`.
    fn module(&mut self, end: usize) -> Items {
        let start = self.at;
        let mut items = Items::default();
        let mut attributes = Attributes::default();
        let mut depth = 0_usize;
        while self.at < end {
            let at = self.at;
            if self.is_mark(at, "#") && self.is_mark(at + 1, "!") && self.is_mark(at + 2, "[") {
                let close = self.closing(at + 2);
                if depth == 0 && self.attribute(at + 3, close).test {
                    self.tests.push(start..end);
                    self.at = end;
                    return Items::default();
                }
                self.at = at + 3;
            } else if self.is_mark(at, "#") && self.is_mark(at + 1, "[") {
                attributes = self.attributes(&mut items, end);
            } else if self.is_mark(at, "{") {
                depth += 1;
                self.at += 1;
            } else if self.is_mark(at, "}") {
                depth = depth.saturating_sub(1);
                self.at += 1;
            } else {
                self.item_or_word(&mut items, &mut attributes, depth > 0);
            }
        }
        self.at = end;
        items
    }

    /// Reads the attributes here. Behind those of a test stands its end afterwards.
    fn attributes(&mut self, items: &mut Items, end: usize) -> Attributes {
        let start = self.at;
        let mut all = Attributes::default();
        while self.is_mark(self.at, "#") && self.is_mark(self.at + 1, "[") {
            let close = self.closing(self.at + 1);
            let one = self.attribute(self.at + 2, close);
            all.test |= one.test;
            all.exported |= one.exported;
            all.path = one.path.or(all.path);
            self.at = close + 1;
        }
        if all.test {
            let (keyword, stop) = self.item_end(self.at, end);
            if self.is_word(keyword, "mod") {
                items.modules.push(Module {
                    name: self.word(keyword + 1).unwrap_or_default().to_owned(),
                    path: all.path.take(),
                    test: true,
                    inline: None,
                });
            }
            self.tests.push(start..stop);
            self.at = stop;
        } else {
            let stop = self.at;
            self.at = start;
            while self.at < stop {
                self.named_in_string(items);
                self.path_or_word(items);
            }
        }
        all
    }

    /// Reads what lies between the brackets of an attribute.
    fn attribute(&self, start: usize, end: usize) -> Attributes {
        let test = self.is_word(start, "cfg")
            && (self.is_word(start + 2, "test") && self.is_mark(start + 3, ")")
                || self.is_word(start + 2, "all") && self.is_word(start + 4, "test"));
        let path = (self.is_word(start, "path") && self.is_mark(start + 1, "="))
            .then(|| self.tokens.get(start + 2))
            .flatten()
            .map(|token| token.text.trim_matches('"').to_owned());
        Attributes {
            test,
            exported: self.is_word(start, "macro_export") && end == start + 1,
            path,
        }
    }

    /// The keyword of the item that begins here, and the place behind the item's last token.
    fn item_end(&self, start: usize, end: usize) -> (usize, usize) {
        let mut keyword = start;
        if self.is_word(keyword, "pub") {
            keyword += 1;
            if self.is_mark(keyword, "(") {
                keyword = self.closing(keyword) + 1;
            }
        }
        let of_const = ["fn", "unsafe", "async", "extern"];
        let (only_semicolon, comma) = match self.word(keyword) {
            Some("use" | "let" | "static" | "type") => (true, false),
            Some("const") => (
                !self
                    .word(keyword + 1)
                    .is_some_and(|word| of_const.contains(&word)),
                false,
            ),
            Some(
                "fn" | "mod" | "struct" | "enum" | "union" | "trait" | "impl" | "unsafe" | "async"
                | "extern" | "macro_rules",
            ) => (false, false),
            // A field, a variant, an arm of a match or a statement.
            _ => (false, true),
        };
        let mut at = keyword;
        while at < end {
            let token = &self.tokens[at];
            match (token.kind, token.text) {
                (Kind::Mark, ";") => return (keyword, at + 1),
                (Kind::Mark, ",") if comma => return (keyword, at + 1),
                (Kind::Mark, ")" | "]" | "}") => return (keyword, at),
                (Kind::Mark, "{") if !only_semicolon => {
                    return (keyword, (self.closing(at) + 1).min(end));
                }
                (Kind::Mark, "(" | "[" | "{") => at = self.closing(at) + 1,
                _ => at += 1,
            }
        }
        (keyword, end)
    }

    /// Reads a module, an import, a definition's name, a path or a word.
    fn item_or_word(&mut self, items: &mut Items, attributes: &mut Attributes, local: bool) {
        let at = self.at;
        let next = self.word(at + 1).map(str::to_owned);
        match (self.word(at), next) {
            (Some("mod"), Some(name)) if self.is_mark(at + 2, ";") => {
                self.at = at + 3;
                items.modules.push(Module {
                    name,
                    path: attributes.path.take(),
                    test: false,
                    inline: None,
                });
            }
            (Some("mod"), Some(name)) if self.is_mark(at + 2, "{") => {
                let close = self.closing(at + 2);
                self.at = at + 3;
                let inline = Some(self.module(close));
                self.at = close + 1;
                items.modules.push(Module {
                    name,
                    path: None,
                    test: false,
                    inline,
                });
            }
            // `impl Trait + use<'a>` is no import.
            (Some("use"), _) if !self.is_mark(at + 1, "<") => {
                self.at += 1;
                self.import(&mut items.imports, &[], local);
            }
            (Some("macro_rules"), None) => {
                let name = self.word(at + 2).unwrap_or_default().to_owned();
                if std::mem::take(&mut attributes.exported) {
                    items.exported_macros.insert(name.clone());
                }
                items.defined.insert(name);
                self.at = at + 3;
            }
            (
                Some("fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static"),
                Some(name),
            ) if !(at > 0 && self.is_mark(at - 1, "*")) => {
                // Of `const fn name`, `fn` is looked at next.
                let more = ["fn", "unsafe", "async", "extern", "mut"].contains(&name.as_str());
                if !local && !more {
                    items.defined.insert(name);
                }
                self.at = at + if more { 1 } else { 2 };
            }
            _ => self.path_or_word(items),
        }
    }

    /// Reads one path or one word, or passes over another token.
    fn path_or_word(&mut self, items: &mut Items) {
        let at = self.at;
        let Some(first) = self.word(at) else {
            self.at += 1;
            return;
        };
        let mut path = vec![first.to_owned()];
        let mut end = at + 1;
        while self.is_separator(end)
            && let Some(segment) = self.word(end + 2)
        {
            path.push(segment.to_owned());
            end += 3;
        }
        self.at = end;
        let before = |back: usize, mark| at >= back && self.is_mark(at - back, mark);
        // The rest of a path behind `::<T>`, a field or a method; `0..crate::END` is neither.
        let rest = before(1, ":") && before(2, ":") || before(1, ".") && !before(2, ".");
        if rest {
            return;
        }
        let line = self.tokens[at].line;
        if path.len() > 1 {
            items.paths.push((path, line));
        } else {
            items.words.entry(path.remove(0)).or_insert(line);
        }
    }

    /// A path in an attribute's string: `#[serde(with = "crate::hex")]`.
    fn named_in_string(&self, items: &mut Items) {
        let token = &self.tokens[self.at];
        let text = token.text.trim_matches('"');
        let begins = ["crate::", "super::", "self::"];
        if token.kind == Kind::Literal && begins.iter().any(|begin| text.starts_with(begin)) {
            let path = text.split("::").map(str::to_owned).collect();
            items.paths.push((path, token.line));
        }
    }

    /// Reads one tree of a `use`, up to its `,`, `}` or `;`, which a `;` is read with.
    fn import(&mut self, imports: &mut Vec<Import>, prefix: &[String], local: bool) {
        let mut path = prefix.to_vec();
        let mut name = None;
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        if prefix.is_empty() && self.is_separator(self.at) {
            path.push(String::new());
        }
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match (token.kind, token.text) {
                (Kind::Word, "as") => {
                    name = self.word(self.at).map(str::to_owned);
                    self.at += 1;
                }
                (Kind::Word, "self") if !path.is_empty() => {}
                (Kind::Word, segment) => path.push(segment.to_owned()),
                (Kind::Mark, "*") => {
                    imports.push(Import {
                        path,
                        name: None,
                        local,
                        line,
                    });
                    self.end_of_import();
                    return;
                }
                (Kind::Mark, "{") => {
                    while self.at < self.tokens.len() && !self.is_mark(self.at, "}") {
                        self.import(imports, &path, local);
                        if self.is_mark(self.at, ",") {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    self.end_of_import();
                    return;
                }
                (Kind::Mark, ":") => {}
                _ => {
                    self.at -= 1;
                    break;
                }
            }
        }
        if let Some(last) = path.last() {
            name.get_or_insert_with(|| last.clone());
            imports.push(Import {
                path,
                name,
                local,
                line,
            });
        }
        self.end_of_import();
    }

    /// Stands behind the `;` of a `use`; within a group its caller goes on. What is not a `use` at all is passed over.
    fn end_of_import(&mut self) {
        let closes = [",", "}"];
        if !closes.iter().any(|mark| self.is_mark(self.at, mark)) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn read(text: &str) -> File {
        File::read(&tokens(text))
    }

    fn imports(text: &str) -> Vec<String> {
        let show = |import: &Import| {
            let name = import.name.as_deref().unwrap_or("*");
            format!("{} {name}", import.path.join("::"))
        };
        read(text).items.imports.iter().map(show).collect()
    }

    fn paths(text: &str) -> Vec<String> {
        let items = read(text).items;
        items
            .paths
            .iter()
            .map(|(path, _)| path.join("::"))
            .collect()
    }

    /// The text of the tokens that are tests.
    fn tests(text: &str) -> Vec<String> {
        let tokens = tokens(text);
        let show = |range: &Range<usize>| {
            let words = tokens[range.clone()].iter().map(|token| token.text);
            words.collect::<Vec<_>>().join(" ")
        };
        File::read(&tokens).tests.iter().map(show).collect()
    }

    #[test]
    fn imports_are_taken_apart() {
        assert_eq!(
            imports(
                "use a; pub use crate::b::C as D; use super::{self, e::{f, self as g}, h::*,};"
            ),
            [
                "a a",
                "crate::b::C D",
                "super super",
                "super::e::f f",
                "super::e g",
                "super::h *"
            ]
        );
        assert_eq!(
            imports("use ::a::b; use {c, d::e}; use super::*; x"),
            ["::a::b b", "c c", "d::e e", "super *"]
        );
        assert_eq!(
            imports("fn f() -> impl A + use<'a, T> {} // use a;"),
            [""; 0]
        );
        let local = read("use a; fn f() { use b; }").items.imports;
        assert_eq!([local[0].local, local[1].local], [false, true]);
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        assert_eq!(
            paths(
                "fn f(x: crate::a::B) -> u8 { let y = super::c::<crate::d::E>::f(); 0..self::g::H }"
            ),
            ["crate::a::B", "super::c", "crate::d::E", "self::g::H"]
        );
        assert_eq!(paths("$crate::a::b!(x.c::<u8>())"), ["crate::a::b"]);
        assert_eq!(
            paths("#[derive(crate::a::B)] #[serde(with = \"super::c\")] struct D;"),
            ["crate::a::B", "super::c"]
        );
        assert_eq!(paths("fn f(x: *const crate::a::B) {}"), ["crate::a::B"]);
        assert_eq!(paths("f(\"crate::a::b\"); // crate::c::d"), [""; 0]);
    }

    #[test]
    fn modules_have_files_or_contents() {
        let items =
            read("mod a; pub(crate) mod b { mod c; use super::a; } #[path = \"x.rs\"] mod d;");
        let modules = items.items.modules;
        let names: Vec<&str> = modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "d"]);
        let inline = modules[1].inline.as_ref().expect("it has a block");
        assert_eq!(inline.modules[0].name, "c");
        assert_eq!(inline.imports.len(), 1);
        assert_eq!(modules[2].path.as_deref(), Some("x.rs"));
        assert!(items.items.imports.is_empty());
    }

    #[test]
    fn names_are_those_of_the_module_and_not_of_its_blocks() {
        let items = read(
            "pub const fn a() { fn b() {} } struct C<T>(T); #[macro_export] macro_rules! d { () => {} } macro_rules! e { () => {} }",
        )
        .items;
        let defined: Vec<&str> = items.defined.iter().map(String::as_str).collect();
        assert_eq!(defined, ["C", "a", "d", "e"]);
        assert_eq!(items.exported_macros.len(), 1);
    }

    #[test]
    fn tests_are_found_wherever_they_stand() {
        assert_eq!(
            tests("a(); #[cfg(test)] mod tests { fn f() { \"}\" } } fn g() {}"),
            ["# [ cfg ( test ) ] mod tests { fn f ( ) { \"}\" } }"]
        );
        assert_eq!(
            tests(
                "#[cfg(test)] use a::{b, c}; use d; #[allow(x)] #[cfg(test)] pub(crate) mod e; mod f;"
            ),
            [
                "# [ cfg ( test ) ] use a : : { b , c } ;",
                "# [ allow ( x ) ] # [ cfg ( test ) ] pub ( crate ) mod e ;"
            ]
        );
        assert_eq!(
            tests(
                "#[cfg(test)] const A: [u8; 2] = { [1, 2] }; #[cfg(test)] fn f<A, B>(x: [u8; 2]) where A: B {} fn g() {}"
            ),
            [
                "# [ cfg ( test ) ] const A : [ u8 ; 2 ] = { [ 1 , 2 ] } ;",
                "# [ cfg ( test ) ] fn f < A , B > ( x : [ u8 ; 2 ] ) where A : B { }"
            ]
        );
        assert_eq!(
            tests("struct A { #[cfg(test)] b: u8, c: u8 } enum D { E, #[cfg(test)] F }"),
            ["# [ cfg ( test ) ] b : u8 ,", "# [ cfg ( test ) ] F"]
        );
        assert_eq!(tests("#[cfg(all(test, unix))] fn f() {}").len(), 1);
        assert_eq!(
            tests("#[cfg(not(test))] fn f() {} // #[cfg(test)]\nfn g() { \"#[cfg(test)]\"; }"),
            [""; 0]
        );
    }

    #[test]
    fn what_tests_name_is_not_named() {
        let items =
            read("mod a; #[cfg(test)] mod tests { use crate::b; } #[cfg(test)] mod more;").items;
        assert!(items.imports.is_empty());
        let found: Vec<(&str, bool)> = items
            .modules
            .iter()
            .map(|module| (module.name.as_str(), module.test))
            .collect();
        assert_eq!(found, [("a", false), ("tests", true), ("more", true)]);
    }

    #[test]
    fn a_file_of_tests_says_so_at_its_top() {
        assert!(read("#![cfg(test)]\nuse crate::a;").is_test());
        assert!(!read("#![forbid(unsafe_code)]\nuse crate::a;").is_test());
        assert!(!read("#[cfg(test)] mod tests;").is_test());
        assert!(!read("").is_test());
    }
}
