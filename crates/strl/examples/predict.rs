//! A checkpoint in another program, and how long a call takes: `predict RUN [PEOPLE]`.
//!
//! Keypoints are made up here; a pose estimator's go in their place.

use std::time::Instant;

use strl::Predictor;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let run = arguments
        .next()
        .ok_or("expected the folder of a run of `ssl finetune`")?;
    let people: usize = arguments.next().map_or(Ok(1), |typed| typed.parse())?;

    let predictor = Predictor::open(&run)?;
    let (frames, joints) = (predictor.meta().frames, predictor.layout().len());
    let numbers = people * frames * joints * predictor.meta().coordinates;
    let keypoints: Vec<f32> = (0..numbers).map(|i| (i * 37 % 101) as f32 + 1.0).collect();
    let clip = predictor.clip(people, &keypoints, None)?;
    let probabilities = predictor.predict(&clip)?.ok_or("nobody is there")?;
    for (class, p) in predictor.meta().classes.iter().zip(probabilities) {
        println!("{class}\t{p:.3}");
    }

    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            let started = Instant::now();
            predictor
                .predict(&clip)
                .map(|_| started.elapsed().as_secs_f64() * 1e3)
        })
        .collect::<Result<_, _>>()?;
    times.sort_by(f64::total_cmp);
    println!(
        "{people} people, {frames} frames: {:.2} ms (median), {:.2} ms (99 of 100)",
        times[100], times[198]
    );
    Ok(())
}
