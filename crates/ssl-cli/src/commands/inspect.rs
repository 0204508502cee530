//! `ssl inspect`

use serde::Serialize;
use skeleton_data::ClipSource;
use skeleton_data::cache::Cache;
use skeleton_data::draw::{Axis, Camera, Caption, Scene, animation, plain, strip};

use super::survey;
use crate::args::InspectArgs;
use crate::checkpoint::write_whole;
use crate::failure::{Failure, Outcome};
use crate::outputs::vacant;
use crate::printer::Printer;
use crate::report::{Contents, count};
use crate::signal::Interrupt;

/// Says what a cache holds, and checks it; or draws one of its clips.
pub fn run(args: &InspectArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let cache = Cache::open(&args.cache)?;
    if let Some(wanted) = &args.clip {
        return draw(args, wanted, &cache, printer);
    }
    let verified = args.verify.then(|| cache.verify()).transpose()?;
    let survey = survey(&cache, None, 0.0, printer, interrupt)?;
    let contents = Contents::new(&cache, &survey, verified);
    printer.report(args.json, &contents, Contents::text)
}

/// What is said of a clip.
#[derive(Serialize)]
struct Clip<'a> {
    index: usize,
    id: &'a str,
    label: Option<u32>,
    class: Option<&'a str>,
    frames: usize,
    persons: usize,
    image: Option<(u32, u32)>,
    subject: Option<u32>,
    camera: Option<u32>,
    setup: Option<u32>,
    splits: Vec<&'a str>,
}

/// Draws the clip `wanted` (an id, or a number) where the arguments say.
fn draw(args: &InspectArgs, wanted: &str, cache: &Cache, printer: &Printer) -> Outcome {
    let drawings = args.svg.iter().chain(&args.html);
    vacant(drawings, &[&args.cache], args.overwrite)?;
    let index = find(cache, wanted)?;
    let (view, layout) = (cache.clip(index)?, cache.layout());
    let up = args
        .up
        .unwrap_or_else(|| Axis::usual(cache.units(), &view, layout));
    let camera = Camera::new(up, view.coordinates)
        .map_err(|error| Failure::from_error(&error).hint("--up says which axis points upwards"))?;
    let scene = Scene::new(&view, layout, &camera)?;
    let described = Clip::of(cache, index);
    let class = described.label.map(|label| match described.class {
        Some(name) if name != label.to_string() => format!("{label} ({name})"),
        _ => label.to_string(),
    });
    let caption = Caption {
        id: view.id,
        class,
        dataset: cache.dataset(),
    };
    let mut written = Vec::new();
    let mut write = |path: &Option<std::path::PathBuf>, text: &dyn Fn() -> String| match path {
        Some(path) => {
            let drawn = write_whole(path, text().as_bytes());
            drawn.map_err(|failure| failure.hint("choose another place, or make room there"))?;
            written.push(path.as_path().to_owned());
            Ok::<(), Failure>(())
        }
        None => Ok(()),
    };
    write(&args.svg, &|| {
        strip(&scene, &caption, usize::from(args.frames))
    })?;
    write(&args.html, &|| animation(&scene, &caption))?;
    if args.json {
        return printer.json(&described);
    }
    let mut lines = vec![described.text()];
    lines.extend(
        written
            .iter()
            .map(|path| format!("drawn: {}", path.display())),
    );
    if written.is_empty() {
        lines.push("draw it with --svg FILE.svg or --html FILE.html".to_owned());
    }
    printer.document(&lines.join("\n"))
}

/// The clip of this id, else of this number.
pub fn find(cache: &Cache, wanted: &str) -> Outcome<usize> {
    if let Some(index) = (0..cache.len()).find(|&index| cache.sample(index).id == wanted) {
        return Ok(index);
    }
    if let Some(index) = wanted
        .parse()
        .ok()
        .filter(|&index: &usize| index < cache.len())
    {
        return Ok(index);
    }
    let path = cache.path();
    let mut near: Vec<(f64, &str)> = (0..cache.len())
        .map(|index| cache.sample(index).id)
        .map(|id| (strsim::jaro_winkler(id, wanted), id))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names: Vec<String> = near.iter().take(3).map(|(_, id)| plain(id)).collect();
    Err(Failure::error(format!(
        "{}: expected a clip with the id or the number {:?}, found none of {}",
        path.display(),
        wanted,
        count(cache.len(), "clip")
    ))
    .hint(match names.is_empty() {
        true => "the cache is empty".to_owned(),
        false => format!(
            "numbers go from 0 to {}; near ids: {}",
            cache.len() - 1,
            names.join(", ")
        ),
    }))
}

impl<'a> Clip<'a> {
    fn of(cache: &'a Cache, index: usize) -> Clip<'a> {
        let info = cache.sample(index);
        let holds = |name: &&str| {
            cache
                .split(name)
                .is_ok_and(|clips| clips.contains(&(index as u32)))
        };
        Clip {
            index,
            id: info.id,
            label: info.label,
            class: info
                .label
                .and_then(|label| Some(cache.classes().get(label as usize)?.as_str())),
            frames: info.frames,
            persons: info.persons,
            image: info.image,
            subject: info.subject,
            camera: info.camera,
            setup: info.setup,
            splits: cache.splits().map(|(name, _)| name).filter(holds).collect(),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("{}: clip {}", plain(self.id), self.index)];
        let mut say = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                lines.push(format!("  {name:9} {value}"));
            }
        };
        say(
            "class",
            self.label.map(|label| {
                format!(
                    "{label}{}",
                    self.class
                        .map_or(String::new(), |name| format!(" ({})", plain(name)))
                )
            }),
        );
        say("frames", Some(self.frames.to_string()));
        say("people", Some(self.persons.to_string()));
        say(
            "image",
            self.image
                .map(|(height, width)| format!("{width} x {height}")),
        );
        say("subject", self.subject.map(|n| n.to_string()));
        say("camera", self.camera.map(|n| n.to_string()));
        say("setup", self.setup.map(|n| n.to_string()));
        say(
            "splits",
            (!self.splits.is_empty()).then(|| plain(&self.splits.join(", "))),
        );
        lines.join("\n")
    }
}
