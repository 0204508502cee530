//! Generated recordings in folders and archives, and what comes of them.

use std::io::Write;
use std::path::{Path, PathBuf};

use skeleton_data::raw::ntu::{Edition, FileLog, Files, Preparation, Preset};
use skeleton_data::{Error, Sequence};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub fn preparation(edition: Edition) -> Preparation {
    Preparation {
        edition,
        rules: Preset::Pyskl.into(),
        skip_unreadable: false,
        threads: 1,
    }
}

/// Names that differ in setup, camera, person and action; one is listed as missing, one is an action of NTU 120.
pub const NAMES: [&str; 6] = [
    "S001C002P001R001A002",
    "S001C001P003R002A001",
    "S001C002P005R002A008",
    "S018C003P008R001A061",
    "S002C001P003R001A060",
    "S001C001P001R001A001",
];
pub const MISSING: &str = "S001C002P005R002A008";

pub fn files() -> Vec<(String, String)> {
    let file =
        |(number, name): (usize, &&str)| (format!("{name}.skeleton"), super::text(number + 1));
    NAMES.iter().enumerate().map(file).collect()
}

pub fn archive(path: &Path, files: &[(String, String)], method: CompressionMethod) {
    let mut archive = ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, text) in files {
        archive.start_file(name.as_str(), options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

pub fn inside(folder: &str, files: &[(String, String)]) -> Vec<(String, String)> {
    let file = |(name, text): &(String, String)| (format!("{folder}/{name}"), text.clone());
    files.iter().map(file).collect()
}

pub fn write(folder: &Path, files: &[(String, String)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Everything that comes of these inputs.
pub fn read(
    inputs: &[PathBuf],
    preparation: &Preparation,
) -> Result<(Vec<Sequence>, Vec<FileLog>, serde_json::Value), Error> {
    let files = Files::open(inputs)?;
    let mut clips = files.clips(preparation)?;
    let (mut sequences, mut logs) = (Vec::new(), Vec::new());
    for prepared in &mut clips {
        let prepared = prepared?;
        sequences.extend(prepared.clip);
        logs.push(prepared.log);
    }
    let source = clips.source();
    Ok((sequences, logs, source))
}
