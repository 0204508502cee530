//! What is in a cache: `cargo run --release -p skeleton-data --example read -- CACHE.h5`

use std::path::Path;

use skeleton_data::ClipSource;
use skeleton_data::cache::Cache;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: read CACHE.h5")?;
    let cache = Cache::open(Path::new(&path))?;
    println!(
        "{}: {} clips, layout {}, digest {}",
        cache.dataset(),
        cache.len(),
        cache.layout().name(),
        cache.digest()
    );
    for (name, clips) in cache.splits() {
        println!("split {name}: {clips} clips");
    }
    let clip = cache.clip(0)?;
    println!(
        "{}: {} people, {} frames, first number {}",
        clip.id,
        clip.persons,
        clip.frames,
        clip.keypoints.get(0)
    );
    println!("{:?}", cache.verify()?);
    Ok(())
}
