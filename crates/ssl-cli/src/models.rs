//! Models and the checkpoints they are saved in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Tensor};
use skeleton_data::ClipSource;
use skeleton_data::reading::Reading;
use skeleton_graph::Layout;
use skeletonmae::objective::{Objective, Reconstruction};
use skeletonmae::{SkeletonMae, Store, Trunk};
use strl::probe::Pretrained;
use strl::{Body, Predictor, Strl, Task, load_body, load_encoder};

use crate::args::MachineArgs;
use crate::checkpoint::{self, Checkpoint, Kind, Meta, Origin, VERSION};
use crate::config::Config;
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::Feeds;
use crate::fit::Facts;
use crate::machine::Machine;
use crate::printer::Printer;
use crate::report::count;
use crate::signal::Interrupt;

/// What a checkpoint says about the model after `epoch` epochs on `data`.
pub fn meta(
    kind: Kind,
    config: &Config,
    data: &Data,
    epoch: usize,
    encoder: Option<&Origin>,
) -> Outcome<Meta> {
    Ok(Meta {
        version: VERSION,
        kind,
        layout: data.layout().to_toml(),
        units: data.units(),
        reading: config.reading.clone(),
        stream: config.reading.stream,
        frames: config.reading.frames,
        coordinates: data.coordinates(),
        classes: match kind {
            Kind::Pretrain => Vec::new(),
            Kind::Finetune => data.classes().to_vec(),
        },
        config: config.portable().to_toml()?,
        data: data.fingerprint(),
        epoch,
        encoder: encoder.map(|origin| origin.sha256.clone()),
        also: Vec::new(),
        imported: None,
    })
}

/// The classifier that `config` says, of the classes of `data`, in `store`.
pub fn classifier(config: &Config, data: &Data, store: &Store, machine: &Machine) -> Outcome<Strl> {
    let task = Task {
        layout: data.layout(),
        coordinates: data.coordinates(),
        frames: config.reading.frames,
        classes: data.classes().len(),
    };
    let mae = &config.model.mae;
    let model = Strl::new(mae, config.strl()?, task, store.builder())?;
    Ok(model.with_features(machine.features))
}

/// What `config` pre-trains, of clips of this layout and number of coordinates, in `store`.
pub fn pretrained(
    config: &Config,
    (layout, coordinates): (&Layout, usize),
    store: &Store,
    machine: &Machine,
) -> skeletonmae::Result<Pretrained> {
    let (mae, vb) = (&config.model.mae, store.builder());
    match &config.model.strl {
        Some(strl) if config.pretrains_strl() => {
            let input = (layout, coordinates, config.reading.frames);
            let body = Body::new(mae, strl, input, vb)?;
            Ok(Pretrained::Strl(body.with_features(machine.features)))
        }
        _ => {
            let trunk = Trunk::new(mae, layout, coordinates, vb)?;
            Ok(Pretrained::Encoder(trunk.with_features(machine.features)))
        }
    }
}

/// A checkpoint whose metadata have been understood.
pub struct Opened {
    /// The numbers and what they mean.
    pub checkpoint: Checkpoint,
    /// The file.
    pub origin: Origin,
    /// The skeleton.
    pub layout: Layout,
    /// The settings it was trained by.
    pub config: Config,
}

impl Opened {
    /// Reads the checkpoint of a run, or a file, which must be of `kind`.
    pub fn read(run_or_file: &Path, kind: Kind) -> Outcome<Opened> {
        let opened = Opened::any(run_or_file)?;
        opened.checkpoint.expect(kind, &opened.origin)?;
        Ok(opened)
    }

    /// Reads the checkpoint of a run, or a file, of either kind.
    pub fn any(run_or_file: &Path) -> Outcome<Opened> {
        let (checkpoint, origin) = checkpoint::read(run_or_file)?;
        let name = origin.path.display().to_string();
        let layout = checkpoint.meta.skeleton(&name)?;
        let config = Config::from_toml(&checkpoint.meta.config, &name)?;
        config.check().map_err(|failure| failure.of(&name))?;
        checkpoint
            .meta
            .reading
            .check()
            .map_err(|error| Failure::from(error).of(&name))?;
        Ok(Opened {
            checkpoint,
            origin,
            layout,
            config,
        })
    }

    /// Opens a cache, whose clips must be of the kind that the model was made for.
    pub fn data(&self, cache: &Path) -> Outcome<Data> {
        let data = Data::open(Some(cache))?;
        self.fit(&data.facts())?;
        Ok(data)
    }

    /// What the model is fed from: `clips` views of each clip, or as many as the checkpoint says.
    pub fn feeds<'a>(
        &self,
        source: Arc<dyn ClipSource>,
        clips: Option<u16>,
        machine: MachineArgs,
        printer: &Printer,
        interrupt: &'a Interrupt,
    ) -> Outcome<Feeds<'a>> {
        Ok(Feeds {
            source,
            reading: self.reading(clips),
            machine: machine.start(printer)?,
            interrupt,
        })
    }

    /// Refuses clips that the model wasn't made for.
    pub fn fit(&self, clips: &Facts<'_>) -> Outcome {
        clips.fit(&self.checkpoint.meta, &self.layout, &self.origin)
    }

    /// Opens a cache, whose clips a pre-trained model's weights can be put to: the skeleton may be another.
    pub fn transfers_to(&self, cache: &Path) -> Outcome<Data> {
        let data = Data::open(Some(cache))?;
        data.facts()
            .fit_numbers(&self.checkpoint.meta, &self.origin)?;
        Ok(data)
    }

    /// How clips are read for the model: as in training, in as many views as asked for.
    pub fn reading(&self, clips: Option<u16>) -> Reading {
        let reading = self.checkpoint.meta.reading.clone();
        Reading {
            clips: clips.map_or(reading.clips, usize::from),
            ..reading
        }
    }

    /// Where an encoder comes from, in words: another data set than `data`'s is a transfer.
    pub fn encoder_origin(&self, data: &Data) -> String {
        let (path, meta) = (self.origin.path.display(), &self.checkpoint.meta);
        let (from, to) = (&meta.data.dataset, data.fingerprint());
        let transfer = if meta.data == to {
            String::new()
        } else {
            let (name, digest) = (to.dataset, to.digest);
            let joints = match *data.layout() == self.layout {
                true => "the same joints".to_owned(),
                false => {
                    let (ours, theirs) = (data.layout(), &self.layout);
                    format!(
                        "another skeleton, {} ({} joints) after {} ({})",
                        ours.name(),
                        ours.len(),
                        theirs.name(),
                        theirs.len()
                    )
                }
            };
            format!(", transferred to {name} ({digest:.12}), other clips of {joints}")
        };
        let epochs = count(meta.epoch, "epoch");
        let also = meta
            .also
            .iter()
            .map(|also| format!(" and {}", also.dataset));
        let from = format!("{from}{}", also.collect::<String>());
        format!("encoder: {path}, pre-trained on {from} for {epochs}{transfer}")
    }

    /// The classifier with its trained numbers.
    pub fn classifier(&self, machine: &Machine) -> Outcome<Strl> {
        self.config.strl()?;
        let (shape, layout) = (&self.config.model, &self.layout);
        let (device, features) = (&machine.device, machine.features);
        let model = self.checkpoint.classifier(shape, layout, device, features);
        model.map_err(|error| self.refused(error))
    }

    /// The classifier with the way it reads: clips one at a time, each in so many views or as many as the checkpoint says.
    pub fn predictor(&self, clips: Option<u16>, machine: &Machine) -> Outcome<Predictor> {
        let meta = Meta {
            reading: self.reading(clips),
            ..self.checkpoint.meta.clone()
        };
        meta.reading.check()?;
        let (model, layout) = (self.classifier(machine)?, self.layout.clone());
        Ok(Predictor::new(&model, meta, layout, &machine.device)?)
    }

    /// A store that holds these numbers of the checkpoint and no others.
    fn store(tensors: BTreeMap<String, Tensor>, machine: &Machine) -> Store {
        Store::of(tensors, DType::F32, &machine.device)
    }

    fn refused(&self, error: skeletonmae::Error) -> Failure {
        let hint = "its settings are not those of its parameters: was it made by another program?";
        Failure::from_error(&error)
            .of(self.origin.path.display())
            .hint(hint)
    }

    /// What was pre-trained, whatever the objective, on the skeleton `layout`, and the store it lies in.
    pub fn pretrained(&self, layout: &Layout, machine: &Machine) -> Outcome<(Store, Pretrained)> {
        let all = &self.checkpoint.tensors;
        let own = match self.config.pretrains_strl() {
            true => Body::tensors(all),
            false => Trunk::tensors(all),
        };
        let store = Self::store(own, machine);
        let input = (layout, self.checkpoint.meta.coordinates);
        let model = pretrained(&self.config, input, &store, machine);
        let model = model.map_err(|error| self.refused(error))?;
        store.all_used().map_err(|error| self.refused(error))?;
        Ok((store, model))
    }

    /// What the pre-training hid and aimed at, where the encoder's decoder finds coordinates.
    pub fn reconstruction(&self) -> Outcome<&Reconstruction> {
        let found = match &self.config.pretrain()?.engine.objective {
            Objective::Reconstruction(own) if !own.through.is_encoder() => {
                "a classifier's layers pre-trained (objective.through = \"strl\")"
            }
            Objective::Reconstruction(own) if own.target.places() => return Ok(own),
            Objective::Reconstruction(_) => "one whose target isn't where joints are",
            Objective::Contrastive(_) => "a contrastive model",
        };
        let path = self.origin.path.display();
        let message = format!("{path}: expected an encoder's autoencoder, found {found}");
        Err(Failure::error(message).hint(
            "pretrain.objective.kind = \"reconstruction\" with the target embedding or coordinates has a decoder that draws",
        ))
    }

    /// The pre-trained model with its numbers, and the store they lie in.
    pub fn autoencoder(&self, machine: &Machine) -> Outcome<(Store, SkeletonMae)> {
        let store = Self::store(self.checkpoint.tensors.clone(), machine);
        let c = self.checkpoint.meta.coordinates;
        let target = self.reconstruction()?.target;
        let mae = &self.config.model.mae;
        let model = SkeletonMae::with_target(target, mae, &self.layout, c, store.builder())
            .map_err(|error| self.refused(error))?;
        store.all_used().map_err(|error| self.refused(error))?;
        Ok((store, model.with_features(machine.features)))
    }

    /// Copies what was pre-trained into a classifier built by `config` in `store`; the names of the parameters copied.
    pub fn copy_encoder_to(&self, store: &Store, config: &Config) -> Outcome<BTreeSet<String>> {
        let encoder = self.origin.path.display();
        let differ = |what: &str, ours: String, theirs: String| {
            let message = format!(
                "{encoder} doesn't fit the settings: {what}: it has {theirs}, they say {ours}"
            );
            Err(Failure::error(message)
                .hint("pre-train and fine-tune with the same [reading] and [model]"))
        };
        let (ours, theirs) = (&config.model.mae, &self.config.model.mae);
        if ours.backbone != theirs.backbone {
            let (ours, theirs) = (ours.backbone.name(), theirs.backbone.name());
            return differ("model.backbone", ours.to_owned(), theirs.to_owned());
        }
        if ours.width != theirs.width {
            return differ(
                "model.width",
                ours.width.to_string(),
                theirs.width.to_string(),
            );
        }
        if ours.encoder_layers != theirs.encoder_layers {
            return differ(
                "model.encoder_layers",
                ours.encoder_layers.to_string(),
                theirs.encoder_layers.to_string(),
            );
        }
        if ours.time_neighbours != theirs.time_neighbours {
            let [ours, theirs] = [ours, theirs].map(|mae| format!("{:?}", mae.time_neighbours));
            return differ("model.time_neighbours", ours, theirs);
        }
        let (ours, theirs) = (&config.reading, &self.checkpoint.meta.reading);
        if ours.stream != theirs.stream {
            let (ours, theirs) = (ours.stream.name(), theirs.stream.name());
            return differ("reading.stream", ours.to_owned(), theirs.to_owned());
        }
        // How many views an evaluation averages is no matter of what was learnt.
        let learnt = Reading {
            clips: ours.clips,
            ..theirs.clone()
        };
        if *ours != learnt {
            let text = |reading| {
                toml::to_string(reading)
                    .map(|text| text.trim_end().replace('\n', ", "))
                    .unwrap_or_default()
            };
            return differ("reading", text(ours), text(&learnt));
        }
        let pretrained = &self.checkpoint.tensors;
        Ok(match self.config.pretrains_strl() {
            false => load_encoder(store, config.strl()?, pretrained)?,
            true => load_body(store, pretrained)?,
        })
    }
}

#[cfg(test)]
mod tests;
