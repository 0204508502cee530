//! Where a command writes: never over what it reads, and over what is there only with `--overwrite`.

use std::path::{Path, PathBuf};

use crate::checkpoint;
use crate::failure::{Failure, Outcome};

/// Refuses outputs that are inputs or each other, by file and not by spelling, and places that are taken.
pub fn vacant<'a>(
    outputs: impl IntoIterator<Item = &'a PathBuf>,
    inputs: &[&Path],
    overwrite: bool,
) -> Outcome {
    let outputs: Vec<&PathBuf> = outputs.into_iter().collect();
    apart(outputs.iter().copied(), inputs)?;
    match outputs.iter().find(|path| path.exists() && !overwrite) {
        None => Ok(()),
        Some(path) => {
            let message = format!("{}: expected no such file, found one", path.display());
            Err(Failure::error(message).hint("choose another name, or replace it with --overwrite"))
        }
    }
}

/// Refuses outputs that are inputs or each other; an input that is a run stands for its checkpoint.
pub fn apart<'a>(outputs: impl IntoIterator<Item = &'a PathBuf>, inputs: &[&Path]) -> Outcome {
    let outputs: Vec<&PathBuf> = outputs.into_iter().collect();
    for (at, output) in outputs.iter().enumerate() {
        let of_run = |input: &&Path| same_file(output, &input.join(checkpoint::FILE));
        let input = inputs
            .iter()
            .find(|input| same_file(output, input) || of_run(input));
        if let Some(input) = input {
            let (output, input) = (output.display(), input.display());
            let message =
                format!("{output}: expected another file than what is read, found {input}");
            return Err(
                Failure::usage(message).hint("what is read is never replaced: choose another name")
            );
        }
        if outputs[..at].iter().any(|other| same_place(output, other)) {
            let message = format!("{}: two results would go there", output.display());
            return Err(Failure::usage(message).hint("give each a name of its own"));
        }
    }
    Ok(())
}

/// Refuses a folder for results in which something lies that is read.
pub fn beside<'a>(folder: &Path, inputs: impl IntoIterator<Item = &'a PathBuf>) -> Outcome {
    let Ok(whole) = folder.canonicalize() else {
        return Ok(());
    };
    let inside = |input: &&PathBuf| {
        input
            .canonicalize()
            .is_ok_and(|path| path.starts_with(&whole))
    };
    match inputs.into_iter().find(inside) {
        None => Ok(()),
        Some(input) => {
            let (folder, input) = (folder.display(), input.display());
            let message = format!(
                "{folder}: expected another folder than that of what is read, found {input} in it"
            );
            Err(Failure::usage(message)
                .hint("what is read is never replaced: choose another --out"))
        }
    }
}

/// Whether two names are of one file that is there, through links too.
fn same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let id = |path: &Path| {
            let found = std::fs::metadata(path)
                .ok()
                .filter(std::fs::Metadata::is_file)?;
            Some((found.dev(), found.ino()))
        };
        id(a).is_some() && id(a) == id(b)
    }
    #[cfg(not(unix))]
    {
        let whole = |path: &Path| path.canonicalize().ok();
        a.is_file() && whole(a).is_some() && whole(a) == whole(b)
    }
}

/// Whether two names lead to one place, whether or not a file is there.
fn same_place(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| {
        let folder = checkpoint::folder_of(path);
        Some((folder.canonicalize().ok()?, path.file_name()?.to_owned()))
    };
    same_file(a, b) || place(a).is_some() && place(a) == place(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_is_an_input_is_refused_however_it_is_spelt() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a"), "clips").unwrap();
        std::fs::create_dir(at("run")).unwrap();
        std::fs::write(at("run").join(checkpoint::FILE), "model").unwrap();
        std::fs::hard_link(at("a"), at("hard")).unwrap();
        let refused = |output: PathBuf, inputs: &[&Path]| {
            let refused = vacant([&output], inputs, true).unwrap_err();
            refused.assert_says("what is read");
        };
        let a = at("a");
        for output in [a.clone(), at("run/../a"), at("hard")] {
            refused(output, &[&at("other"), &a]);
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("a", at("soft")).unwrap();
            refused(at("soft"), &[&a]);
        }
        refused(at("run").join(checkpoint::FILE), &[&at("run")]);
        assert!(vacant([&at("new")], &[&a, &at("run")], false).is_ok());
        assert!(vacant([&a], &[&at("run")], false).is_err(), "it is taken");
        assert!(vacant([&a], &[&at("run")], true).is_ok());
        assert!(
            vacant([&at("new"), &at("run/../new")], &[], true).is_err(),
            "two results"
        );
    }

    #[test]
    fn a_folder_with_something_that_is_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (run, file) = (folder.path().join("run"), folder.path().join("run/model"));
        std::fs::create_dir(&run).unwrap();
        std::fs::write(&file, "model").unwrap();
        assert!(beside(&run, [&file]).is_err());
        assert!(beside(&run, [&run]).is_err());
        assert!(beside(&run, [&folder.path().join("clips.h5")]).is_ok());
        assert!(beside(&folder.path().join("new"), [&file]).is_ok());
    }
}
