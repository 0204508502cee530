//! How fast batches come from a cache on one core:
//! `cargo run --release -p skeleton-data --example batches -- CACHE.h5 [CONFIG_JSON [AUGMENT_JSON [BATCH [ROUNDS]]]]`

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use skeleton_data::ClipSource;
use skeleton_data::augment::Augment;
use skeleton_data::cache::Cache;
use skeleton_data::loader::Loader;
use skeleton_data::reading::Reading;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let path = arguments.get(1).ok_or("usage: batches CACHE.h5")?;
    let reading: Reading = serde_json::from_str(&arguments[2])?;
    let augment: Augment = serde_json::from_str(&arguments[3])?;
    let rounds: u64 = arguments.get(4).map_or(Ok(5), |n| n.parse())?;
    let cache = Arc::new(Cache::open(Path::new(path))?);
    let clips: Vec<u32> = (0..cache.len() as u32).collect();
    let loader = Loader::new(cache.clone(), reading, Some(augment), 0)?;
    let mut best = f64::INFINITY;
    for round in 0..rounds {
        let start = Instant::now();
        let mut tracks = 0;
        for batch in loader.epoch(&clips, 16, 0, round) {
            tracks += batch?.tracks();
        }
        let spent = start.elapsed().as_secs_f64();
        best = best.min(spent);
        println!(
            "{} clips, {tracks} tracks: {:.1} us a clip",
            clips.len(),
            spent * 1e6 / clips.len() as f64
        );
    }
    println!("best {:.1} us a clip", best * 1e6 / clips.len() as f64);
    Ok(())
}
