//! Where things are: the repository, the target folder, `cargo` itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Failure;
use crate::tools;

/// The checkout and the build folder that `cargo xtask` runs in.
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Finds the repository from where this program was compiled, and the target folder from where
    /// it was put: it stands in `TARGET/release`, whatever set TARGET.
    pub fn find() -> Result<Self, Failure> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let exe = std::env::current_exe()
            .map_err(|e| Failure::Task(format!("cannot find the running xtask: {e}")))?;
        match (manifest.parent(), exe.ancestors().nth(2)) {
            (Some(root), Some(target)) => Ok(Self {
                root: root.to_owned(),
                target: target.to_owned(),
            }),
            _ => Err(Failure::Task(format!(
                "{} is not TARGET/release/xtask of a checkout at {}",
                exe.display(),
                manifest.display()
            ))),
        }
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that builds write to.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where the release build puts a program.
    pub fn program(&self, name: &str) -> PathBuf {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        self.target.join("release").join(file)
    }

    /// `cargo SUBCOMMAND` in the repository with this target folder; for what compiles nothing
    /// native.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command
            .arg(subcommand)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// `cargo SUBCOMMAND --release`, with a cmake that can build HDF5.
    pub fn build(&self, subcommand: &str) -> Result<Command, Failure> {
        let cmake = tools::cmake(&self.target)?;
        let mut command = self.cargo(subcommand);
        command.arg("--release");
        if let Some(path) = cmake {
            command.env("CMAKE", path);
        }
        Ok(command)
    }

    /// A path as the user would type it where they stand.
    pub fn shown(&self, path: &Path) -> PathBuf {
        let here = std::env::current_dir().ok();
        let relative = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
        relative.unwrap_or_else(|| path.to_owned())
    }

    #[cfg(test)]
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            target: root.join("target"),
        }
    }
}
