//! Which modules of a crate import which of their siblings, and where that goes in circles.
//!
//! A module imports a sibling if code in its file, or in one below it, names the sibling or something in it: in a `use` or in a
//! path, from the crate's root or through `super`. A name that a common parent imports, as in `pub use sibling::Name`, counts as
//! the sibling's. Tests do not count. Dependencies that no name shows, such as a method's on a returned value, are not found, nor
//! what `use other::*` brings, which clippy's `wildcard_imports` refuses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::code::{File, Import, Items};

/// A module's place below the crate's root, which is the empty one.
type Place = Vec<String>;

/// A module's import of a sibling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SiblingImport {
    /// The module that imports, as `crate::a::b`.
    pub from: String,
    /// The module that is imported.
    pub to: String,
    /// The file that does it.
    pub file: PathBuf,
    /// The line of the file.
    pub line: usize,
    /// What the line says.
    pub path: String,
}

/// All imports between siblings of the crate with this root file. `read` gives a file's text, or nothing where there is no such
/// file.
///
/// # Errors
/// A declared module without a file.
pub fn sibling_imports(
    root: &Path,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Result<Vec<SiblingImport>, String> {
    let text = read(root).ok_or_else(|| format!("{}: no such file", root.display()))?;
    let mut tree = Tree::default();
    let folder = root.parent().unwrap_or(Path::new("")).to_owned();
    let items = parse(root, &text)?.items;
    tree.add(Vec::new(), root, &folder, items, read)?;
    tree.add_exported_macros();
    Ok(tree.sibling_imports())
}

fn parse(path: &Path, text: &str) -> Result<File, String> {
    File::read(text).map_err(|error| format!("{}: {error}", path.display()))
}

struct Module {
    file: PathBuf,
    items: Items,
}

/// The modules of a crate, without those of tests.
#[derive(Default)]
struct Tree {
    modules: BTreeMap<Place, Module>,
}

impl Tree {
    /// Adds a module and all below it. `folder` is where the files of its modules are.
    fn add(
        &mut self,
        place: Place,
        file: &Path,
        folder: &Path,
        mut items: Items,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> Result<(), String> {
        for module in std::mem::take(&mut items.modules) {
            let declared = module.declared;
            let child = below(&place, &declared.name);
            let below_child = folder.join(&declared.name);
            if let Some(inline) = module.inline {
                self.add(child, file, &below_child, inline, read)?;
                continue;
            }
            let candidates = match &declared.path {
                Some(path) => vec![file.with_file_name(path)],
                None => vec![below_child.with_extension("rs"), below_child.join("mod.rs")],
            };
            let found = candidates.iter().find_map(|path| Some((path, read(path)?)));
            let Some((path, text)) = found else {
                let (file, name) = (file.display(), &declared.name);
                return Err(format!("{file}: no file for `mod {name}`"));
            };
            let parsed = parse(path, &text)?;
            if parsed.is_test {
                continue;
            }
            // Modules of a file that `#[path]` names are beside it.
            let folder = match &declared.path {
                Some(_) => path.parent().unwrap_or(Path::new("")),
                None => &below_child,
            };
            self.add(child, path, folder, parsed.items, read)?;
        }
        let file = file.to_owned();
        self.modules.insert(place, Module { file, items });
        Ok(())
    }

    /// Gives the root an import of each macro that `#[macro_export]` puts there.
    fn add_exported_macros(&mut self) {
        let mut imports = Vec::new();
        for (place, module) in &self.modules {
            for name in &module.items.exported_macros {
                let mut path = vec!["crate".to_owned()];
                path.extend_from_slice(place);
                path.push(name.clone());
                imports.push(Import {
                    path,
                    name: Some(name.clone()),
                    local: false,
                    line: 0,
                });
            }
        }
        if let Some(root) = self.modules.get_mut([].as_slice()) {
            root.items.imports.extend(imports);
        }
    }

    fn sibling_imports(&self) -> Vec<SiblingImport> {
        let mut found = BTreeSet::new();
        for (place, module) in &self.modules {
            let items = &module.items;
            let imports = items.imports.iter().map(|i| (i.path.clone(), i.line));
            let mut search = Search {
                tree: self,
                user: place,
                passed: BTreeSet::new(),
                found: BTreeSet::new(),
            };
            for (path, line) in imports.chain(items.paths.iter().cloned()) {
                search.path(place, &path);
                found.extend(search.take(module, &path, line));
            }
        }
        found.into_iter().collect()
    }
}

/// What one module's paths lead to.
struct Search<'a> {
    tree: &'a Tree,
    /// The module that the paths stand in.
    user: &'a [String],
    /// Names that were looked up on the way, as an import may lead back to itself.
    passed: BTreeSet<(Place, String)>,
    /// The modules they lead to: those where the first name stands that is no ancestor's.
    found: BTreeSet<Place>,
}

impl Search<'_> {
    /// What was found since the last call, as imports of siblings.
    fn take(&mut self, module: &Module, path: &[String], line: usize) -> Vec<SiblingImport> {
        self.passed.clear();
        let targets = std::mem::take(&mut self.found);
        let siblings = targets.iter().filter_map(|target| {
            let pairs = self.user.iter().zip(target);
            let common = pairs.take_while(|(a, b)| a == b).count();
            // An ancestor of the other is no sibling.
            (common < self.user.len() && common < target.len()).then(|| SiblingImport {
                from: shown(&self.user[..=common]),
                to: shown(&target[..=common]),
                file: module.file.clone(),
                line,
                path: path.join("::"),
            })
        });
        siblings.collect()
    }

    /// Follows a path that stands in the module `context`. Names of other crates, of local variables and of the prelude lead nowhere.
    fn path(&mut self, context: &[String], path: &[String]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        match first.as_str() {
            "crate" => self.segments(&[], rest),
            "self" => self.segments(context, rest),
            "super" => self.segments(parent(context), rest),
            _ if self.tree.modules.contains_key(&below(context, first)) => {
                self.segments(context, path);
            }
            _ => self.through_imports(context, path, rest),
        }
    }

    /// Follows segments from the module they stand behind.
    fn segments(&mut self, module: &[String], segments: &[String]) {
        let Some((first, rest)) = segments.split_first() else {
            self.found.insert(module.to_owned());
            return;
        };
        match first.as_str() {
            "self" => return self.segments(module, rest),
            "super" => return self.segments(parent(module), rest),
            _ => {}
        }
        let child = below(module, first);
        let is_child = self.tree.modules.contains_key(&child);
        if is_child {
            self.segments(&child, rest);
        }
        if !self.user.starts_with(module) {
            // Here the path leaves the ancestors: this is a sibling or below one.
            self.found.insert(module.to_owned());
        } else if !is_child || rest.is_empty() {
            // `super::gin` may be the module `gin` and a function that the parent imports.
            self.through_imports(module, segments, rest);
        }
    }

    /// Follows a name that a module imports.
    fn through_imports(&mut self, module: &[String], segments: &[String], rest: &[String]) {
        let (tree, first) = (self.tree, &segments[0]);
        let Some(here) = tree.modules.get(module) else {
            return;
        };
        if !self.passed.insert((module.to_owned(), first.clone())) {
            return;
        }
        for import in &here.items.imports {
            let visible = !import.local || module == self.user;
            if visible && import.name.as_ref() == Some(first) {
                self.path(module, &[import.path.as_slice(), rest].concat());
            }
        }
    }
}

fn below(module: &[String], name: &str) -> Place {
    let mut child = module.to_owned();
    child.push(name.to_owned());
    child
}

fn parent(module: &[String]) -> &[String] {
    module.split_last().map_or(module, |(_, parent)| parent)
}

fn shown(module: &[String]) -> String {
    let segments = module.iter().map(String::as_str);
    let all: Vec<&str> = std::iter::once("crate").chain(segments).collect();
    all.join("::")
}

/// For each edge that is in a cycle, the shortest cycle with it, once. A cycle begins with its least name.
pub fn shortest_cycles(edges: &BTreeSet<(&str, &str)>) -> BTreeSet<Vec<String>> {
    let mut after: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges {
        after.entry(from).or_default().push(to);
    }
    let cycles = edges
        .iter()
        .filter_map(|(from, to)| shortest_path(&after, to, from));
    cycles.map(from_least).collect()
}

/// The names from `start` to `end`, both included, by the fewest edges.
fn shortest_path<'a>(
    after: &BTreeMap<&'a str, Vec<&'a str>>,
    start: &'a str,
    end: &str,
) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::from([(start, start)]);
    let mut waiting = VecDeque::from([start]);
    while let Some(name) = waiting.pop_front() {
        if name == end {
            let mut path = vec![name];
            let mut at = name;
            while at != start {
                at = before[at];
                path.push(at);
            }
            path.reverse();
            return Some(path);
        }
        for next in after.get(name).into_iter().flatten() {
            if !before.contains_key(next) {
                before.insert(next, name);
                waiting.push_back(next);
            }
        }
    }
    None
}

fn from_least(mut cycle: Vec<&str>) -> Vec<String> {
    let least = cycle.iter().enumerate().min_by_key(|(_, name)| **name);
    let at = least.map_or(0, |(at, _)| at);
    cycle.rotate_left(at);
    cycle.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The imports of a crate made of these files, each as `from -> to`, below src/.
    fn imports(files: &[(&str, &str)]) -> Vec<String> {
        let read = |path: &Path| {
            let file = files
                .iter()
                .find(|(name, _)| Path::new("src").join(name) == path);
            file.map(|(_, text)| (*text).to_owned())
        };
        let found =
            sibling_imports(Path::new("src/lib.rs"), &read).expect("every module has a file");
        let mut edges: Vec<String> = found
            .iter()
            .map(|import| format!("{} -> {}", import.from, import.to).replace("crate::", ""))
            .collect();
        edges.dedup();
        edges
    }

    #[test]
    fn every_way_to_name_a_sibling_counts() {
        for text in [
            "use crate::b::B;",
            "use super::b;",
            "use super::b::{self, B};",
            "use crate::{b::B, c};",
            "use super::{b::*};",
            "use crate::b as other;",
            "pub use crate::b::B;",
            "fn f() { crate::b::f() }",
            "fn f(x: &super::b::B) {}",
            "fn f() { use super::b::B; }",
            "#[derive(crate::b::B)] struct A;",
            "#[serde(with = \"crate::b\")] struct A;",
            "macro_rules! a { () => { $crate::b::f() } }",
            "mod inner { use super::super::b; }",
            "mod inner { fn f() { crate::b::f() } }",
            "use super as parent; fn f() { parent::b::f() }",
        ] {
            let files = [
                ("lib.rs", "mod a; mod b; mod c;"),
                ("a.rs", text),
                ("b.rs", "pub fn f() {}"),
                ("c/mod.rs", ""),
            ];
            let found = imports(&files);
            assert!(found.contains(&"a -> b".to_owned()), "{text}: {found:?}");
        }
    }

    #[test]
    fn what_names_no_sibling_does_not_count() {
        for text in [
            "// use crate::b::B;",
            "const A: &str = \"crate::b::B\";",
            "use b::B;",
            "use ::b::B;",
            "fn f(b: B) { b.b::<B>(); }",
            "#[cfg(test)] mod tests { use crate::b::B; }",
            "#[cfg(test)] mod tests;",
            "#[cfg(test)] use crate::b::B;",
            "use crate::Own; use super::own;",
            "pub(in crate::a) fn f() {}",
            "use super::*; fn f() { x.b(); let b = 1; }",
            "mod inner; use inner::b;",
            "mod inner; fn f() { inner::b(); self::inner::b() }",
        ] {
            let files = [
                ("lib.rs", "mod a; mod b; pub struct Own; pub fn own() {}"),
                ("a.rs", text),
                ("a/inner.rs", ""),
                ("a/tests.rs", "use crate::b::B;"),
                ("b.rs", ""),
            ];
            assert_eq!(imports(&files), [""; 0], "{text}");
        }
    }

    #[test]
    fn names_that_a_parent_imports_are_those_of_the_module_they_come_from() {
        let lib = "mod a; mod b; mod ops; pub use b::{B, f as g}; use ops::deep as short; pub(crate) use ops::in_ops;";
        for (text, target) in [
            ("use crate::B;", "b"),
            ("use super::{B as Other};", "b"),
            ("fn f() { crate::g() }", "b"),
            ("use crate::short::Deep;", "ops"),
            ("fn f() { super::in_ops() }", "ops"),
        ] {
            let files = [
                ("lib.rs", lib),
                ("a.rs", text),
                ("b.rs", ""),
                ("ops/mod.rs", "pub mod deep; pub fn in_ops() {}"),
                ("ops/deep.rs", "pub fn from_deep() {}"),
            ];
            assert_eq!(imports(&files), [format!("a -> {target}")], "{text}");
        }
    }

    #[test]
    fn an_exported_macro_is_its_modules() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "crate::wide! { x }"),
            (
                "b.rs",
                "#[macro_export] macro_rules! wide { () => {} } macro_rules! columns { () => {} } pub(crate) use columns;",
            ),
            ("c.rs", "use crate::b::columns; columns!();"),
        ];
        assert_eq!(imports(&files), ["a -> b", "c -> b"]);
    }

    #[test]
    fn files_below_a_module_import_for_it() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod one; mod two; pub use one::One;"),
            ("a/one.rs", "use super::two::Two; use crate::b::deep::B;"),
            ("a/two.rs", "use super::One;"),
            ("b.rs", "pub mod deep;"),
            ("b/deep.rs", "use super::super::a;"),
        ];
        assert_eq!(
            imports(&files),
            ["a -> b", "a::one -> a::two", "a::two -> a::one", "b -> a"]
        );
    }

    #[test]
    fn a_module_and_a_function_of_one_name_are_both_looked_at() {
        let files = [
            ("lib.rs", "mod a; mod gin; mod b; pub use b::gin;"),
            ("a.rs", "use super::gin;"),
            ("gin.rs", ""),
            ("b.rs", "pub fn gin() {}"),
        ];
        assert_eq!(imports(&files), ["a -> b", "a -> gin"]);
    }

    #[test]
    fn imports_that_lead_in_circles_end() {
        let files = [
            (
                "lib.rs",
                "mod a; mod b; use x as y; use y as x; use super::z as z;",
            ),
            ("a.rs", "use super::{x, z}; fn f() { x(); crate::y(); z() }"),
            ("b.rs", "use crate::a::f; use super::y; fn g() { f(); y() }"),
        ];
        assert_eq!(imports(&files), ["b -> a"]);
    }

    #[test]
    fn files_are_where_the_compiler_looks() {
        let files = [
            ("main.rs", ""),
            (
                "lib.rs",
                "mod a; mod b; mod c { mod d; } #[path = \"odd/name.rs\"] mod e;",
            ),
            ("a/mod.rs", "mod inner;"),
            ("a/inner.rs", "use crate::b;"),
            ("b.rs", "#![cfg(test)] use crate::a;"),
            ("c/d.rs", "use crate::a;"),
            ("odd/name.rs", "mod beside;"),
            ("odd/beside.rs", "use crate::c;"),
        ];
        assert_eq!(imports(&files), ["c -> a", "e -> c"]);
        let nothing = |path: &Path| path.ends_with("lib.rs").then(|| "mod a;".to_owned());
        let error = sibling_imports(Path::new("src/lib.rs"), &nothing).expect_err("no src/a.rs");
        assert_eq!(error, "src/lib.rs: no file for `mod a`");
    }

    #[test]
    fn an_import_says_where_it_is() {
        let read = |path: &Path| match path.to_str() {
            Some("src/lib.rs") => Some("mod a;\nmod b;".to_owned()),
            Some("src/a.rs") => Some("\n\nuse crate::b::{\n    self, B};".to_owned()),
            Some("src/b.rs") => Some(String::new()),
            _ => None,
        };
        let found = sibling_imports(Path::new("src/lib.rs"), &read).expect("both are there");
        let shown: Vec<String> = found
            .iter()
            .map(|i| format!("{}:{} {}", i.file.display(), i.line, i.path))
            .collect();
        assert_eq!(shown, ["src/a.rs:4 crate::b", "src/a.rs:4 crate::b::B"]);
    }

    fn cycles(edges: &[(&str, &str)]) -> Vec<String> {
        let found = shortest_cycles(&edges.iter().copied().collect());
        found.iter().map(|cycle| cycle.join(" ")).collect()
    }

    #[test]
    fn cycles_of_two_and_of_more_are_found_once() {
        assert_eq!(cycles(&[("a", "b"), ("b", "a"), ("b", "c")]), ["a b"]);
        assert_eq!(cycles(&[("c", "a"), ("b", "c"), ("a", "b")]), ["a b c"]);
        let both = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "a")];
        assert_eq!(cycles(&both), ["a b", "a b c d"]);
        assert_eq!(cycles(&[("a", "a")]), ["a"]);
    }

    #[test]
    fn without_a_cycle_there_is_none() {
        let edges = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")];
        assert_eq!(cycles(&edges), [""; 0]);
    }
}
