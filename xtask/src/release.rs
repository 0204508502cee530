//! `cargo xtask release`: what is given away for this machine's kind, in `dist/`: the wheel, a tarball of the program with manual
//! pages, completions and licences, a list of what it is built from (CycloneDX), and checksums.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::notices::{self, Graph};
use crate::process::{Failure, cannot, output, run};
use crate::wheel::{LICENCES, copy, make, remove, stripped, wheel};
use crate::workspace::Workspace;

/// Shells that the program completes for, with the name that each looks for.
const SHELLS: [(&str, &str); 3] = [("bash", "ssl"), ("fish", "ssl.fish"), ("zsh", "_ssl")];
const SUMS: &str = "SHA256SUMS";

/// Makes everything for this machine's kind.
pub fn release(workspace: &Workspace) -> Result<(), Failure> {
    let dist = workspace.root().join("dist");
    remove(&dist)?;
    let wheel = wheel(workspace)?;
    let (host, version) = (notices::host()?, env!("CARGO_PKG_VERSION"));
    let name = format!("ssl-{version}-{host}");
    let tarball = tarball(workspace, &dist, &name)?;
    let bill = dist.join(format!("{name}.cdx.json"));
    let graph = Graph::of(workspace, &["ssl-cli", "skeletonmae-python"])?;
    let text = format!("{:#}\n", bill_of(&graph, version));
    std::fs::write(&bill, text).map_err(cannot("write", &bill))?;
    let mut sums = String::new();
    for path in [&bill, &tarball, &wheel] {
        let bytes = std::fs::read(path).map_err(cannot("read", path))?;
        let digest: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        sums.push_str(&format!("{digest}  {file}\n"));
        println!("{}", workspace.shown(path).display());
    }
    let path = dist.join(SUMS);
    std::fs::write(&path, sums).map_err(cannot("write", &path))?;
    println!("{}", workspace.shown(&path).display());
    Ok(())
}

/// The program with what belongs beside it, as `NAME.tar.gz`.
fn tarball(workspace: &Workspace, dist: &Path, name: &str) -> Result<PathBuf, Failure> {
    let folder = workspace.target().join("release-files");
    remove(&folder)?;
    let inside = make(&folder.join(name))?;
    let program = workspace.program("ssl");
    stripped(
        &program,
        &inside.join(program.file_name().expect("a program has a name")),
    )?;
    documents(&program, &inside.join("man"), &inside.join("completions"))?;
    for file in LICENCES.iter().chain(&["README.md", "CHANGELOG.md"]) {
        copy(&workspace.root().join(file), &inside.join(file))?;
    }
    let notices = notices::text(&Graph::of(workspace, &["ssl-cli"])?)?;
    let file = inside.join("THIRD-PARTY.txt");
    std::fs::write(&file, notices).map_err(cannot("write", &file))?;
    let tarball = dist.join(format!("{name}.tar.gz"));
    run(Command::new("tar")
        .arg("-czf")
        .arg(&tarball)
        .arg("-C")
        .arg(&folder)
        .arg(name))?;
    Ok(tarball)
}

/// Manual pages, and completions under the names that shells look for, as the program itself makes them.
pub fn documents(program: &Path, man: &Path, completions: &Path) -> Result<(), Failure> {
    make(man)?;
    make(completions)?;
    run(Command::new(program).arg("man").arg(man))?;
    for (shell, file) in SHELLS {
        let mut command = Command::new(program);
        command.args(["completions", shell]);
        let script = output(&mut command)?;
        let path = completions.join(file);
        std::fs::write(&path, script).map_err(cannot("write", &path))?;
    }
    Ok(())
}

/// What the program and the library are built from, as CycloneDX 1.6 says it.
fn bill_of(graph: &Graph, version: &str) -> Value {
    let reference = |name: &str, version: &str| format!("pkg:cargo/{name}@{version}");
    let components = graph.packages().map(|package| {
        let purl = reference(&package.name, &package.version);
        let mut component = json!({
            "type": "library", "bom-ref": purl, "name": package.name, "version": package.version, "purl": purl,
        });
        if let Some(licence) = &package.license {
            // Cargo still takes a slash for "or", SPDX does not.
            component["licenses"] = json!([{"expression": licence.replace('/', " OR ")}]);
        }
        if let Some(repository) = &package.repository {
            component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
        }
        component
    });
    let components: Vec<Value> = components.collect();
    let dependencies = graph.packages().map(|package| {
        let on = graph
            .dependencies(package)
            .map(|on| reference(&on.name, &on.version));
        let on: Vec<String> = on.collect();
        json!({"ref": reference(&package.name, &package.version), "dependsOn": on})
    });
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "ssl", "name": "ssl", "version": version}},
        "components": components,
        "dependencies": dependencies.collect::<Vec<Value>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_names_every_crate_once_and_each_dependency() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("a folder of the repository");
        let graph = Graph::of(&Workspace::at(root), &["ssl-cli"]).expect("cargo's metadata");
        let bill = bill_of(&graph, "1.2.3");
        let all = |key: &str, field: &str| -> Vec<String> {
            let entries = bill[key].as_array().expect("a list").iter();
            entries
                .map(|entry| entry[field].as_str().expect("a name").to_owned())
                .collect()
        };
        let mut names = all("components", "bom-ref");
        assert_eq!(names, all("dependencies", "ref"));
        let before = names.len();
        names.dedup();
        assert_eq!((names.len(), before > 100), (before, true));
        for name in [
            "pkg:cargo/hdf5-metno-src@",
            "pkg:cargo/ssl-cli@",
            "pkg:cargo/candle-core@",
        ] {
            assert!(names.iter().any(|known| known.starts_with(name)), "{name}");
        }
        let dependencies = bill["dependencies"].as_array().expect("a list").iter();
        for on in dependencies.flat_map(|entry| entry["dependsOn"].as_array().expect("a list")) {
            assert!(names.iter().any(|name| on == name), "{on}");
        }
    }
}
