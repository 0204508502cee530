//! A file of Rust as its tokens, and what it declares and names: its modules, its imports, the paths in its code, and which
//! part of it is tests.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// One word, literal or mark; a bracket is a token of its own.
#[derive(Debug)]
pub struct Token {
    /// As it is written; a string may go over several lines.
    pub text: String,
    /// The line it begins in, counted from 1.
    pub line: usize,
    /// Whether it is compiled for tests only.
    pub test: bool,
}

/// A `mod` line or block that isn't compiled for tests only.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Where its file is.
    pub declared: Declared,
    /// What it holds, where it has no file of its own.
    pub inline: Option<Items>,
}

/// A module's name, and the file that `#[path = "..."]` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// The file, beside the one that declares it.
    pub path: Option<String>,
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
    /// Macros that `#[macro_export]` puts into the crate's root.
    pub exported_macros: BTreeSet<String>,
}

/// A file read to its end.
#[derive(Debug)]
pub struct File {
    /// All tokens but comments.
    pub tokens: Vec<Token>,
    /// What it holds.
    pub items: Items,
    /// The modules of tests that it declares.
    pub test_modules: Vec<Declared>,
    /// Whether all of it is tests: `#![cfg(test)]`.
    pub is_test: bool,
}

impl File {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Text that is no sequence of tokens. What else is no Rust is for the compiler to refuse.
    pub fn read(text: &str) -> Result<Self, String> {
        let stream: TokenStream = text.parse().map_err(|error| format!("{error}"))?;
        let mut reader = Reader::default();
        let stream = reader.without_tests(stream, false);
        let mut items = Items::default();
        if reader.is_test {
            reader.tokens.iter_mut().for_each(|token| token.test = true);
        } else {
            let names = &mut Names { items: &mut items };
            names.scan(stream, Place::Module);
        }
        Ok(Self {
            tokens: reader.tokens,
            items,
            test_modules: reader.test_modules,
            is_test: reader.is_test,
        })
    }
}

#[derive(Default)]
struct Reader {
    tokens: Vec<Token>,
    test_modules: Vec<Declared>,
    is_test: bool,
    /// Brackets that are open.
    depth: usize,
}

impl Reader {
    fn push(&mut self, text: String, span: Span, test: bool) {
        let line = span.start().line;
        self.tokens.push(Token { text, line, test });
    }

    /// Notes all tokens; those that remain are without comments and without what is compiled for tests only.
    fn without_tests(&mut self, stream: TokenStream, test: bool) -> TokenStream {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut rest = trees.as_slice();
        let mut kept = Vec::new();
        while let Some(tree) = rest.first() {
            let comment = attribute(rest).filter(|(_, group)| is_comment(tree, group));
            let tests = if test { 0 } else { self.tests(rest) };
            let (now, after) = rest.split_at(comment.map_or(tests.max(1), |(length, _)| length));
            rest = after;
            if tests > 0 {
                self.without_tests(now.iter().cloned().collect(), true);
            } else if comment.is_none() {
                kept.push(self.tree(tree.clone(), test));
            }
        }
        kept.into_iter().collect()
    }

    fn tree(&mut self, tree: TokenTree, test: bool) -> TokenTree {
        let TokenTree::Group(group) = tree else {
            self.push(tree.to_string(), tree.span(), test);
            return tree;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        self.push(open.to_owned(), group.span_open(), test);
        self.depth += 1;
        let stream = self.without_tests(group.stream(), test);
        self.depth -= 1;
        self.push(close.to_owned(), group.span_close(), test);
        let mut kept = Group::new(group.delimiter(), stream);
        kept.set_span(group.span());
        kept.into()
    }

    /// How many of the first trees are one thing that is compiled for tests only.
    fn tests(&mut self, trees: &[TokenTree]) -> usize {
        let (mut at, mut test, mut path) = (0, false, None);
        while let Some((length, group)) = attribute(&trees[at..]) {
            let text = dense(group);
            let all = |rest: &str| rest.starts_with([',', ')']);
            let is_test = text == "cfg(test)" || text.strip_prefix("cfg(all(test").is_some_and(all);
            if length == 3 {
                // An inner attribute is about all that stands around it.
                self.is_test |= is_test && self.depth == 0;
                return if is_test { trees.len() } else { 0 };
            }
            test |= is_test;
            path = path.or(named_file(&text));
            at += length;
        }
        if !test {
            return 0;
        }
        if word(trees.get(at)).is_some_and(|word| word == "pub") {
            let restricted = matches!(trees.get(at + 1), Some(TokenTree::Group(_)));
            at += 1 + usize::from(restricted);
        }
        let keyword = word(trees.get(at)).unwrap_or_default();
        let name = word(trees.get(at + 1)).unwrap_or_default();
        if keyword == "mod" {
            let name = name.clone();
            self.test_modules.push(Declared { name, path });
        }
        let function = ["fn", "unsafe", "async", "extern"].contains(&name.as_str());
        let (braces, comma) = match keyword.as_str() {
            "use" | "let" | "static" | "type" => (false, false),
            "const" => (function, false),
            "fn" | "mod" | "struct" | "enum" | "union" | "trait" | "impl" | "unsafe" | "async"
            | "extern" | "macro_rules" => (true, false),
            // A field, a variant, an arm of a match or a statement.
            _ => (true, true),
        };
        let ends = |tree: &TokenTree| match tree {
            TokenTree::Punct(mark) => mark.as_char() == ';' || comma && mark.as_char() == ',',
            TokenTree::Group(group) => braces && group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        let end = trees[at..].iter().position(ends);
        end.map_or(trees.len(), |end| at + end + 1)
    }
}

/// The attribute that trees begin with: its length, and what stands in brackets.
fn attribute(trees: &[TokenTree]) -> Option<(usize, &Group)> {
    let length = match (is(trees.first(), '#'), is(trees.get(1), '!')) {
        (true, false) => 2,
        (true, true) => 3,
        _ => return None,
    };
    match trees.get(length - 1) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            Some((length, group))
        }
        _ => None,
    }
}

fn is(tree: Option<&TokenTree>, mark: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(found)) if found.as_char() == mark)
}

/// What stands in an attribute, without spaces.
fn dense(attribute: &Group) -> String {
    attribute.stream().to_string().replace([' ', '\n'], "")
}

/// The file that an attribute `path = "..."` names.
fn named_file(attribute: &str) -> Option<String> {
    let file = attribute.strip_prefix("path=")?;
    Some(file.trim_matches('"').to_owned())
}

/// Whether an attribute is written as a comment: then all of it is in one place.
fn is_comment(mark: &TokenTree, group: &Group) -> bool {
    mark.span().start() == group.span().start()
}

fn word(tree: Option<&TokenTree>) -> Option<String> {
    match tree {
        Some(TokenTree::Ident(word)) => Some(unraw(word)),
        _ => None,
    }
}

fn unraw(word: &proc_macro2::Ident) -> String {
    let text = word.to_string();
    text.strip_prefix("r#").unwrap_or(&text).to_owned()
}

/// Collects what a module declares and names.
struct Names<'a> {
    items: &'a mut Items,
}

/// Where tokens stand.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Module,
    Block,
    /// In a macro, which may be no syntax: only paths are looked for.
    Macro,
    /// In an attribute, where strings may be paths, too.
    Attribute,
}

impl Names<'_> {
    fn scan(&mut self, stream: TokenStream, place: Place) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        // Those of the item that follows.
        let mut attributes = Vec::new();
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            if let Some((length, group)) = attribute(&trees[at..]) {
                attributes.push(dense(group));
                self.scan(group.stream(), Place::Attribute);
                at += length;
                continue;
            }
            at += match tree {
                TokenTree::Ident(_) => self.word(&trees, at, place, &mut attributes),
                TokenTree::Group(group) => {
                    let inner = if place == Place::Module {
                        Place::Block
                    } else {
                        place
                    };
                    self.scan(group.stream(), inner);
                    if group.delimiter() == Delimiter::Brace {
                        attributes.clear();
                    }
                    1
                }
                TokenTree::Literal(literal) if place == Place::Attribute => {
                    self.string(&literal.to_string(), literal.span().start().line);
                    1
                }
                _ => {
                    if is(Some(tree), ';') {
                        attributes.clear();
                    }
                    1
                }
            };
        }
    }

    /// An import, a module, a macro or a path that the word at `at` begins; gives the number of its tokens.
    fn word(
        &mut self,
        trees: &[TokenTree],
        at: usize,
        place: Place,
        attributes: &mut Vec<String>,
    ) -> usize {
        let rest = &trees[at..];
        let is_syntax = matches!(place, Place::Module | Place::Block);
        match rest[0].to_string().as_str() {
            // Behind a type, `use<'a>` is no import.
            "use" if is_syntax && !is(rest.get(1), '<') => {
                let end = rest.iter().position(|tree| is(Some(tree), ';'));
                let end = end.unwrap_or(rest.len());
                self.import(&rest[1..end], &[], place == Place::Block);
                return end;
            }
            "mod" if is_syntax && matches!(rest.get(1), Some(TokenTree::Ident(_))) => {
                self.module(rest, std::mem::take(attributes));
                return 3;
            }
            "macro_rules" if attributes.iter().any(|one| one == "macro_export") => {
                self.items.exported_macros.extend(word(rest.get(2)));
                attributes.clear();
            }
            _ => {}
        }
        let mut path: Vec<String> = word(rest.first()).into_iter().collect();
        let mut length = 1;
        while is(rest.get(length), ':')
            && is(rest.get(length + 1), ':')
            && let Some(segment) = word(rest.get(length + 2))
        {
            path.push(segment);
            length += 3;
        }
        // The rest of a path behind `::<T>`, a field or a method, a lifetime; `0..crate::END` is none of these.
        let before = |back: usize, mark| at >= back && is(trees.get(at - back), mark);
        let continues = before(1, ':') && before(2, ':')
            || before(1, '.') && !before(2, '.')
            || before(1, '\'');
        // A word alone names nothing of another module.
        if path.len() > 1 && !continues {
            let line = rest[0].span().start().line;
            self.items.paths.push((path, line));
        }
        if is(rest.get(length), '!') {
            let named = usize::from(word(rest.get(length + 1)).is_some());
            if let Some(TokenTree::Group(group)) = rest.get(length + 1 + named) {
                self.scan(group.stream(), Place::Macro);
                length += 2 + named;
            }
        }
        length
    }

    /// A path in an attribute's string: `#[serde(with = "crate::hex")]`.
    fn string(&mut self, literal: &str, line: usize) {
        let text = literal.trim_matches('"');
        let begins = ["crate::", "super::", "self::"];
        if begins.iter().any(|begin| text.starts_with(begin)) {
            let path = text.split("::").map(str::to_owned).collect();
            self.items.paths.push((path, line));
        }
    }

    /// The leaves of a tree of imports, whose paths begin with `above`.
    fn import(&mut self, trees: &[TokenTree], above: &[String], local: bool) {
        for mut rest in trees.split(|tree| is(Some(tree), ',')) {
            let mut path = above.to_vec();
            if is(rest.first(), ':') {
                path.push(String::new());
                rest = &rest[2..];
            }
            while let [TokenTree::Ident(name), TokenTree::Punct(_), _, below @ ..] = rest {
                path.push(unraw(name));
                rest = below;
            }
            let Some((leaf, alias)) = rest.split_first() else {
                continue;
            };
            if let TokenTree::Group(group) = leaf {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                self.import(&inner, &path, local);
                continue;
            }
            let own = word(Some(leaf));
            let named = own.is_some();
            path.extend(own.filter(|own| own != "self" || path.is_empty()));
            let alias = word(alias.get(1)).or_else(|| path.last().cloned());
            self.items.imports.push(Import {
                name: alias.filter(|_| named),
                path,
                local,
                line: leaf.span().start().line,
            });
        }
    }

    /// `mod name;` or `mod name { ... }`.
    fn module(&mut self, trees: &[TokenTree], attributes: Vec<String>) {
        let inline = match trees.get(2) {
            Some(TokenTree::Group(group)) => {
                let mut items = Items::default();
                let names = &mut Names { items: &mut items };
                names.scan(group.stream(), Place::Module);
                Some(items)
            }
            _ => None,
        };
        let name = word(trees.get(1)).unwrap_or_default();
        let path = attributes.iter().find_map(|one| named_file(one));
        let declared = Declared { name, path };
        self.items.modules.push(Module { declared, inline });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> File {
        File::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn texts(text: &str) -> Vec<String> {
        let tokens = read(text).tokens.into_iter();
        tokens.map(|token| token.text).collect()
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

    /// The tokens that are tests, where others stand between them apart.
    fn tests(text: &str) -> Vec<String> {
        let file = read(text);
        let runs = file.tokens.chunk_by(|a, b| a.test == b.test);
        let show = |run: &[Token]| {
            let words: Vec<&str> = run.iter().map(|token| token.text.as_str()).collect();
            words.join(" ")
        };
        runs.filter(|run| run[0].test).map(show).collect()
    }

    #[test]
    fn comments_go_and_strings_stay() {
        let text = "const A: B = a // b \"\n/* c /* d */ e */ + f; /// g\nfn h() {}";
        assert_eq!(texts(text).join(" "), "const A : B = a + f ; fn h ( ) { }");
        let strings = texts(r##"fn f() { a("http://x", r#""/*""#, '"', b'\'') }"##);
        for string in ["\"http://x\"", "r#\"\"/*\"\"#", "'\"'", r"b'\''"] {
            assert!(strings.iter().any(|text| text == string), "{string}");
        }
        let file = read("//! a\n#[doc = \"b\"]\nfn f() -> &'static str { \"b\n\nc\" /*\n*/ }");
        let lines: Vec<usize> = file.tokens.iter().map(|token| token.line).collect();
        assert_eq!(lines[..4], [2, 2, 2, 2]);
        assert_eq!(lines[lines.len() - 2..], [3, 6]);
    }

    #[test]
    fn what_are_no_tokens_is_refused() {
        assert!(File::read("fn f() {\n\"a }").is_err());
        assert!(File::read("fn f() {}\nfn g() {").is_err());
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
            imports("use ::a::b; use {c, d::e}; use super::*; x!();"),
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
        assert_eq!(
            paths("macro_rules! m { () => { $crate::a::b!(x.c::<u8>()) } }"),
            ["crate::a::b"]
        );
        assert_eq!(
            paths("#[derive(crate::a::B)] #[serde(with = \"super::c\")] struct D;"),
            ["crate::a::B", "super::c"]
        );
        assert_eq!(paths("fn f(x: *const crate::a::B) {}"), ["crate::a::B"]);
        assert_eq!(
            paths("fn g() { f(\"crate::a::b\"); h!(\"crate::a::b\") } // crate::c::d"),
            [""; 0]
        );
    }

    #[test]
    fn modules_have_files_or_contents() {
        let items =
            read("mod a; pub(crate) mod b { mod c; use super::a; } #[path = \"x.rs\"] mod d;");
        let modules = items.items.modules;
        let names: Vec<&str> = modules
            .iter()
            .map(|one| one.declared.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "d"]);
        let inline = modules[1].inline.as_ref().expect("it has a block");
        assert_eq!(inline.modules[0].declared.name, "c");
        assert_eq!(inline.imports.len(), 1);
        assert_eq!(modules[2].declared.path.as_deref(), Some("x.rs"));
        assert!(items.items.imports.is_empty());
    }

    #[test]
    fn macros_that_the_crates_root_has_are_noted() {
        let items =
            read("#[macro_export] macro_rules! d { () => {} } macro_rules! e { () => {} }").items;
        assert_eq!(items.exported_macros, BTreeSet::from(["d".to_owned()]));
    }

    #[test]
    fn tests_are_found_wherever_they_stand() {
        assert_eq!(
            tests("a!(); #[cfg(test)] mod tests { fn f() { \"}\" } } fn g() {}"),
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
                "#[cfg(test)] const A: [u8; 2] = { [1, 2] }; mod x; #[cfg(test)] fn f<A, B>(x: [u8; 2]) where A: B {} fn g() {}"
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
        let file = read("mod a; #[cfg(test)] mod tests { use crate::b; } #[cfg(test)] mod more;");
        assert!(file.items.imports.is_empty());
        assert_eq!(file.items.modules[0].declared.name, "a");
        assert_eq!(file.items.modules.len(), 1);
        let tests = file.test_modules.iter().map(|one| one.name.as_str());
        assert_eq!(tests.collect::<Vec<_>>(), ["tests", "more"]);
    }

    #[test]
    fn a_file_of_tests_says_so_at_its_top() {
        assert!(read("#![cfg(test)]\nuse crate::a;").is_test);
        assert!(!read("#![forbid(unsafe_code)]\nuse crate::a;").is_test);
        assert!(!read("#[cfg(test)] mod tests;").is_test);
        assert!(!read("").is_test);
    }
}
