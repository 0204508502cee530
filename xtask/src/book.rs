//! The book: `docs/` as pages to browse in `target/book`, by an mdbook of one version under `target/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, exit_code, run, typed};
use crate::workspace::Workspace;

const VERSION: &str = "0.5.4";
/// Where links lead that leave the book: to the sources, which aren't pages of it.
const SOURCES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

/// Builds the book; whatever mdbook warns of is a failure.
pub fn book(workspace: &Workspace) -> Result<(), Failure> {
    let program = provide(workspace)?;
    let (staged, pages) = (
        workspace.target().join("book-pages"),
        workspace.target().join("book"),
    );
    stage(workspace.root(), &staged)
        .map_err(|e| Failure::Task(format!("copying docs/ to {}: {e}", staged.display())))?;
    let mut command = Command::new(program);
    command
        .arg("build")
        .arg(&staged)
        .arg("--dest-dir")
        .arg(&pages);
    let line = typed(&command);
    eprintln!("$ {line}");
    let output = command
        .output()
        .map_err(|e| Failure::Task(format!("cannot start `{line}`: {e}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    eprint!("{said}");
    if !output.status.success() {
        let code = exit_code(output.status);
        return Err(Failure::Child {
            command: line,
            code,
        });
    }
    if said.contains(" WARN ") || said.contains(" ERROR ") {
        return Err(Failure::Task(
            "the book builds with warnings; expected none".to_owned(),
        ));
    }
    eprintln!(
        "xtask: {}",
        workspace.shown(&pages.join("index.html")).display()
    );
    Ok(())
}

/// The mdbook of [VERSION], built from crates.io where it isn't there yet (about two and a half minutes of processor time).
fn provide(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.target().join("tools").join("mdbook");
    let name = format!("mdbook{}", std::env::consts::EXE_SUFFIX);
    let program = folder.join("bin").join(name);
    if !is_wanted(&program) {
        let mut install = workspace.cargo("install");
        install.args([
            "mdbook",
            "--version",
            VERSION,
            "--no-default-features",
            "--locked",
        ]);
        // In a folder of its own, which cargo removes again.
        run(install
            .arg("--root")
            .arg(folder)
            .env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}

fn is_wanted(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).trim() == format!("mdbook v{VERSION}")
    })
}

/// Copies the book's settings and `docs/`, with links out of the book made absolute.
fn stage(root: &Path, staged: &Path) -> std::io::Result<()> {
    if staged.exists() {
        std::fs::remove_dir_all(staged)?;
    }
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        std::fs::create_dir_all(staged.join(&folder))?;
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let file = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|ending| ending == "md") {
                let text = std::fs::read_to_string(entry.path())?;
                std::fs::write(staged.join(file), outwards(&text))?;
            } else {
                std::fs::copy(entry.path(), staged.join(file))?;
            }
        }
    }
    std::fs::copy(root.join("book.toml"), staged.join("book.toml")).map(|_| ())
}

/// A page whose links to files outside of `docs/` lead to the repository.
fn outwards(page: &str) -> String {
    page.replace("](../", &format!("]({SOURCES}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_the_book_lead_to_the_repository() {
        let page =
            "[a](training.md#settings) [b](../ARCHITECTURE.md) [c](../crates/strl/README.md)";
        let expected = "[a](training.md#settings) \
            [b](https://github.com/skeleton-sequence-learning/ssl/blob/main/ARCHITECTURE.md) \
            [c](https://github.com/skeleton-sequence-learning/ssl/blob/main/crates/strl/README.md)";
        assert_eq!(outwards(page), expected);
    }

    #[test]
    fn another_mdbook_or_none_is_not_the_wanted_one() {
        assert!(!is_wanted(Path::new("no-such-program-anywhere")));
    }
}
