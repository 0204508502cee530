//! A pyskl pickle becomes a cache: `cargo run --release -p skeleton-data --example prepare -- CLIPS.pkl LAYOUT CACHE.h5`

use std::path::Path;

use skeleton_data::cache::{CacheHeader, CacheWriter};
use skeleton_data::raw::{RawFile, describe};
use skeleton_data::{Units, skeleton_graph::Layout};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, clips, layout, cache] = &arguments[..] else {
        return Err("usage: prepare CLIPS.pkl LAYOUT CACHE.h5".into());
    };

    let file = RawFile::open(Path::new(clips))?;
    let header = CacheHeader {
        dataset: "example".into(),
        layout: Layout::built_in(layout)?,
        units: Units::Pixel,
        source: describe(
            &[Path::new(clips)],
            serde_json::json!({ "types": file.element_types() }),
        )?,
        classes: (0..file.classes()).map(|class| class.to_string()).collect(),
        created_by: "the prepare example".into(),
    };
    let mut writer = CacheWriter::create(Path::new(cache), header)?;
    file.each(|clip| writer.push(&clip))?;
    println!("{:#?}", writer.finish(file.splits())?);
    Ok(())
}
