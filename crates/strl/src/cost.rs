//! What a model has and what one clip costs, module by module, from its tensors' names and shapes alone.
//!
//! A module's **multiply-adds** for one person of one clip, in one forward pass of the whole model:
//!
//! - each map (a tensor of two or three axes): its numbers, times the rows it is applied to;
//! - each mixing of joints (the layers of an encoder or decoder, and equation 4 of a classifier's layer): d times a
//!   coefficient for every joint and, twice, for every edge, times the frames.
//!
//! Rows are frames times joints; a classifier's layers after the first halve the frames (rounded up) in their temporal half,
//! behind its first maps; the head has one row. Norms, activations, pooling, biases, the position embedding and the sums over
//! neighbours in time are left out: they are additions or a few operations a number. The count is the model's as it is defined; the program's own inference needs
//! fewer, since it reads coordinates through the first layer. A floating-point operation is half a multiply-add.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use serde::Serialize;
use skeleton_graph::Layout;

/// What a model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    /// T.
    pub frames: usize,
    /// V.
    pub joints: usize,
    /// Undirected edges of the skeleton.
    pub edges: usize,
}

impl Reads {
    /// So many frames of a skeleton.
    pub fn of(layout: &Layout, frames: usize) -> Reads {
        Reads {
            frames,
            joints: layout.len(),
            edges: layout.edges().len(),
        }
    }
}

/// The names and shapes of a model's tensors.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// The tensors that a model asks for while it is built, none of which takes memory: a size that settings ask for can be counted
/// before it is allocated.
///
/// # Errors
/// What `build` returns.
pub fn shapes<T>(
    build: impl FnOnce(VarBuilder<'static>) -> skeletonmae::Result<T>,
) -> skeletonmae::Result<Shapes> {
    let asked = Asked::default();
    let backend: Box<dyn SimpleBackend> = Box::new(asked.clone());
    build(VarBuilder::from_backend(backend, DType::F32, Device::Cpu))?;
    let mut found = asked.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *found))
}

/// Notes what is asked for, and answers with one zero seen in every place.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Shapes>>);

impl SimpleBackend for Asked {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(name.to_owned(), shape.dims().to_vec());
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("{name}: a tensor without a shape can't be counted")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// A part of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Module {
    /// The beginning of its tensors' names.
    pub name: String,
    /// Numbers that training changes.
    pub parameters: usize,
    /// Running statistics.
    pub statistics: usize,
    /// Multiply-adds for one person of one clip.
    pub multiply_adds: usize,
}

/// The modules in the order of the computation. `tensors` are those of a [`SkeletonMae`](skeletonmae::SkeletonMae) or a
/// [`Strl`](crate::Strl), names with shapes.
pub fn modules<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a [usize])>,
    reads: Reads,
) -> Vec<Module> {
    let mut found: BTreeMap<Place, Module> = BTreeMap::new();
    let mut layers: BTreeSet<(Place, &str)> = BTreeSet::new();
    let mut width = 0;
    for (name, shape) in tensors {
        let (place, rest) = Place::of(name);
        let module = found.entry(place).or_default();
        module.name = match place {
            Place::Other => "others".to_owned(),
            _ => name[..name.len() - rest.len()]
                .trim_end_matches('.')
                .to_owned(),
        };
        let size: usize = shape.iter().product();
        if name.ends_with(".running_mean") || name.ends_with(".running_var") {
            module.statistics += size;
        } else {
            module.parameters += size;
        }
        if let (Place::Embed, [d, _]) = (place, shape) {
            width = *d;
        }
        if shape.len() >= 2 && place != Place::Position {
            module.multiply_adds += size * place.rows(rest, reads);
        }
        if let Some(layer) = place.mixing(rest) {
            layers.insert((place, layer));
        }
    }
    for (place, _) in layers {
        let mixing = (reads.joints + 2 * reads.edges) * width * place.frames(reads);
        found.entry(place).or_default().multiply_adds += mixing;
    }
    found.into_values().collect()
}

/// The modules, in the order of the computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Embed,
    MaskToken,
    Position,
    Encoder,
    Join,
    Decoder,
    /// Of layer i, in three halves.
    Layer(usize, Half),
    Head,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Half {
    Encoder,
    Spatial,
    Temporal,
}

impl Place {
    /// Where a tensor belongs, and its name there, which is the end of its name.
    fn of(name: &str) -> (Place, &str) {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let place = match first {
            "embed" => Place::Embed,
            "mask_token" => Place::MaskToken,
            "position" => Place::Position,
            "encoder" => Place::Encoder,
            "to_decoder" => Place::Join,
            "decoder" => Place::Decoder,
            "head" => Place::Head,
            "layers" => return Place::in_layer(rest).unwrap_or((Place::Other, name)),
            _ => return (Place::Other, name),
        };
        (place, rest)
    }

    fn in_layer(rest: &str) -> Option<(Place, &str)> {
        let (layer, rest) = rest.split_once('.')?;
        let layer = layer.parse().ok()?;
        let (half, rest) = rest.split_once('.')?;
        match (half, rest.strip_prefix("encoder.")) {
            ("spatial", Some(rest)) => Some((Place::Layer(layer, Half::Encoder), rest)),
            ("spatial", None) => Some((Place::Layer(layer, Half::Spatial), rest)),
            ("temporal", _) => Some((Place::Layer(layer, Half::Temporal), rest)),
            _ => None,
        }
    }

    /// Frames that come in.
    fn frames(self, reads: Reads) -> usize {
        match self {
            Place::Layer(i, _) => (1..i).fold(reads.frames, |t, _| t.div_ceil(2)),
            _ => reads.frames,
        }
    }

    /// Rows that a map of this name is applied to.
    fn rows(self, rest: &str, reads: Reads) -> usize {
        let frames = self.frames(reads);
        match self {
            Place::Head => 1,
            // The first maps of a branch are before the stride, everything else of the temporal half is behind it.
            Place::Layer(i, Half::Temporal) if i > 0 && !rest.contains(".reduce.") => {
                frames.div_ceil(2) * reads.joints
            }
            _ => frames * reads.joints,
        }
    }

    /// The layer that mixes joints to which a tensor of this name belongs: of the layer's several tensors all give the same.
    fn mixing(self, rest: &str) -> Option<&str> {
        match self {
            Place::Encoder | Place::Layer(_, Half::Encoder) => {
                let layer = rest.strip_prefix("layers.")?;
                layer.split('.').next()
            }
            Place::Decoder | Place::Layer(_, Half::Spatial) => Some(""),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skeletonmae::{Backbone, MaeConfig, SkeletonMae, Store};

    use crate::{Strl, StrlConfig, Task};

    fn of(store: &Store, reads: Reads) -> Vec<Module> {
        let tensors = store.tensors();
        let tensors = tensors.iter().map(|(name, t)| (name.as_str(), t.dims()));
        modules(tensors, reads)
    }

    #[test]
    fn what_is_asked_for_is_what_a_model_has() {
        let layout = Layout::built_in("coco17").unwrap();
        for backbone in [Backbone::Gin, Backbone::Gcn, Backbone::Gat] {
            let mae = MaeConfig {
                backbone,
                ..MaeConfig::default()
            };
            let store = Store::new(0, DType::F32, &Device::Cpu);
            SkeletonMae::new(&mae, &layout, 2, store.builder()).unwrap();
            let tensors = store.tensors().into_iter();
            let made: Shapes = tensors.map(|(name, t)| (name, t.dims().to_vec())).collect();
            let asked = shapes(|vb| SkeletonMae::new(&mae, &layout, 2, vb)).unwrap();
            assert_eq!(asked, made, "{backbone:?}");
        }
    }

    const READS: Reads = Reads {
        frames: 64,
        joints: 17,
        edges: 16,
    };

    /// By hand: d = 64, 64 frames of 17 joints are 1,088 rows; a layer is two maps of 64 x 64 and a mixing of 17 + 2 * 16
    /// coefficients.
    #[test]
    fn the_autoencoder_by_hand() {
        let layout = Layout::built_in("coco17").unwrap();
        let store = Store::new(0, DType::F32, &Device::Cpu);
        SkeletonMae::new(&MaeConfig::default(), &layout, 2, store.builder()).unwrap();
        let found = of(&store, READS);
        let layer = 1_088 * 2 * 64 * 64 + 64 * 49 * 64;
        let counts: Vec<(&str, usize)> = found
            .iter()
            .map(|module| (module.name.as_str(), module.multiply_adds))
            .collect();
        assert_eq!(
            counts,
            [
                ("embed", 1_088 * 2 * 64),
                ("mask_token", 0),
                ("encoder", 3 * layer),
                ("to_decoder", 1_088 * 64 * 64),
                ("decoder", layer),
            ]
        );
        let parameters: usize = found.iter().map(|module| module.parameters).sum();
        assert_eq!(parameters, 38_535, "the yardstick's");
    }

    /// By hand: layers of 64, 64 and 32 frames; their temporal halves end with 64, 32 and 16.
    #[test]
    fn the_classifier_by_hand() {
        let layout = Layout::built_in("coco17").unwrap();
        let store = Store::new(0, DType::F32, &Device::Cpu);
        let task = Task {
            layout: &layout,
            coordinates: 2,
            frames: 64,
            classes: 60,
        };
        let (mae, strl) = (MaeConfig::default(), StrlConfig::default());
        Strl::new(&mae, &strl, task, store.builder()).unwrap();
        let found = of(&store, READS);
        let count = |name: &str| {
            let module = found.iter().find(|module| module.name == name);
            module.unwrap_or_else(|| panic!("{name}")).multiply_adds
        };
        let (square, part) = (64 * 64, 16 * 64);
        for (i, (t_in, t_out)) in [(64, 64), (64, 32), (32, 16)].into_iter().enumerate() {
            let mixing = t_in * 49 * 64;
            let encoder = 3 * (2 * t_in * 17 * square + mixing);
            assert_eq!(count(&format!("layers.{i}.spatial.encoder")), encoder);
            let spatial = 2 * t_in * 17 * square + mixing;
            assert_eq!(count(&format!("layers.{i}.spatial")), spatial);
            // Three first maps; two convolutions of 5 frames; the point's map; from the second on the residual's.
            let residual = if i == 0 { 0 } else { square };
            let behind = 2 * 5 * 16 * 16 + part + residual;
            let temporal = 17 * (t_in * 3 * part + t_out * behind);
            assert_eq!(
                count(&format!("layers.{i}.temporal")),
                temporal,
                "layer {i}"
            );
        }
        assert_eq!(count("head"), 64 * 60);
        assert_eq!(count("position"), 0);
        let all: usize = found.iter().map(|module| module.multiply_adds).sum();
        // What this size was measured to need before: about 430 MFLOP for two persons.
        let two = 2.0 * 2.0 * all as f64;
        assert!((0.42e9..0.45e9).contains(&two), "{two}");
        let parameters: usize = found.iter().map(|module| module.parameters).sum();
        assert_eq!(parameters, 140_622, "the yardstick's");
    }
}
