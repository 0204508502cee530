//! A file of Rust as its tokens, and what it declares and names: its modules, its imports, the paths in its code, and which
//! part of it is tests.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::UseTree;
use syn::visit::Visit;

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
    /// Text that the compiler would refuse, with the place.
    pub fn read(text: &str) -> Result<Self, String> {
        let stream: TokenStream = text.parse().map_err(|error| format!("{error}"))?;
        let mut reader = Reader::default();
        let stream = reader.without_tests(stream, false);
        let mut items = Items::default();
        if reader.is_test {
            reader.tokens.iter_mut().for_each(|token| token.test = true);
        } else {
            let file: syn::File = syn::parse2(stream).map_err(|error| {
                let at = error.span().start();
                format!("line {}, column {}: {error}", at.line, at.column + 1)
            })?;
            Names::of(&mut items).visit_file(&file);
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
            let text = group.stream().to_string().replace([' ', '\n'], "");
            let all = |rest: &str| rest.starts_with([',', ')']);
            let is_test = text == "cfg(test)" || text.strip_prefix("cfg(all(test").is_some_and(all);
            if length == 3 {
                // An inner attribute is about all that stands around it.
                self.is_test |= is_test && self.depth == 0;
                return if is_test { trees.len() } else { 0 };
            }
            test |= is_test;
            let file = text
                .strip_prefix("path=")
                .map(|file| file.trim_matches('"'));
            path = path.or(file.map(str::to_owned));
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
    let is = |at: usize, mark: char| matches!(trees.get(at), Some(TokenTree::Punct(found)) if found.as_char() == mark);
    let length = match (is(0, '#'), is(1, '!')) {
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

/// Collects what a module names.
struct Names<'a> {
    items: &'a mut Items,
    /// Whether this is in a block.
    local: bool,
}

impl<'a> Names<'a> {
    fn of(items: &'a mut Items) -> Self {
        Self {
            items,
            local: false,
        }
    }

    /// Notes a path; a word alone names nothing of another module.
    fn path(&mut self, path: Vec<String>, line: usize) {
        if path.len() > 1 {
            self.items.paths.push((path, line));
        }
    }

    /// Paths in tokens that are no syntax: in macros, and in attributes, where strings may be paths, too.
    fn tokens(&mut self, stream: TokenStream, attribute: bool) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mark = |at: usize| match trees.get(at) {
            Some(TokenTree::Punct(mark)) => mark.as_char(),
            _ => ' ',
        };
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            let line = tree.span().start().line;
            // The rest of a path behind `::<T>`, a field or a method, a lifetime; `0..crate::END` is none of these.
            let before = |back: usize| at.checked_sub(back).map_or(' ', mark);
            let rest = match before(1) {
                ':' => before(2) == ':',
                '.' => before(2) != '.',
                quote => quote == '\'',
            };
            at += 1;
            match tree {
                TokenTree::Group(group) => self.tokens(group.stream(), attribute),
                TokenTree::Literal(literal) if attribute => {
                    self.string(&literal.to_string(), line);
                }
                TokenTree::Ident(first) => {
                    let mut path = vec![unraw(first)];
                    while (mark(at), mark(at + 1)) == (':', ':')
                        && let Some(segment) = word(trees.get(at + 2))
                    {
                        path.push(segment);
                        at += 3;
                    }
                    if !rest {
                        self.path(path, line);
                    }
                }
                _ => {}
            }
        }
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

    fn import(&mut self, tree: &UseTree, mut path: Vec<String>) {
        let (first, name) = match tree {
            UseTree::Path(tree) => {
                path.push(unraw(&tree.ident));
                return self.import(&tree.tree, path);
            }
            UseTree::Group(group) => {
                let trees = group.items.iter();
                return trees.for_each(|tree| self.import(tree, path.clone()));
            }
            UseTree::Glob(glob) => (glob.star_token.spans[0], None),
            UseTree::Name(leaf) => (leaf.ident.span(), Some((&leaf.ident, None))),
            UseTree::Rename(leaf) => (leaf.ident.span(), Some((&leaf.ident, Some(&leaf.rename)))),
        };
        let name = name.and_then(|(ident, rename)| {
            let ident = unraw(ident);
            if ident != "self" || path.is_empty() {
                path.push(ident);
            }
            rename.map_or_else(|| path.last().cloned(), |rename| Some(unraw(rename)))
        });
        self.items.imports.push(Import {
            path,
            name,
            local: self.local,
            line: first.start().line,
        });
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        let mut attributes = item.attrs.iter();
        if attributes.any(|one| one.path().is_ident("macro_export")) {
            self.items
                .exported_macros
                .extend(item.ident.as_ref().map(unraw));
        }
        syn::visit::visit_item_macro(self, item);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        module
            .attrs
            .iter()
            .for_each(|one| self.visit_attribute(one));
        let path = module.attrs.iter().find_map(|one| match &one.meta {
            syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(file),
                    ..
                }) => Some(file.value()),
                _ => None,
            },
            _ => None,
        });
        let inline = module.content.as_ref().map(|(_, content)| {
            let mut items = Items::default();
            let mut names = Names::of(&mut items);
            content.iter().for_each(|item| names.visit_item(item));
            items
        });
        let name = unraw(&module.ident);
        self.items.modules.push(Module {
            declared: Declared { name, path },
            inline,
        });
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let root = item.leading_colon.map(|_| String::new());
        self.import(&item.tree, root.into_iter().collect());
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let before = std::mem::replace(&mut self.local, true);
        syn::visit::visit_block(self, block);
        self.local = before;
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        match &attribute.meta {
            syn::Meta::NameValue(pair) => self.visit_expr(&pair.value),
            syn::Meta::List(list) => {
                self.visit_path(&list.path);
                self.tokens(list.tokens.clone(), true);
            }
            syn::Meta::Path(path) => self.visit_path(path),
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone(), false);
    }

    /// Up to the first segment with arguments.
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let arguments = path
            .segments
            .iter()
            .position(|one| !one.arguments.is_empty());
        let length = arguments.map_or(path.segments.len(), |at| at + 1);
        let segments = path.segments.iter().take(length);
        let root = path.leading_colon.map(|_| String::new());
        let words = root
            .into_iter()
            .chain(segments.map(|one| unraw(&one.ident)));
        let line = path.segments[0].ident.span().start().line;
        self.path(words.collect(), line);
        syn::visit::visit_path(self, path);
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
    fn what_is_not_rust_is_refused_with_its_place() {
        assert!(File::read("fn f() {\n\"a }").is_err());
        let error = File::read("fn f() {}\nfn 1() {}").expect_err("no name");
        assert!(error.starts_with("line 2, column 4:"), "{error}");
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
