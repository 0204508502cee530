//! Parameters: stable names, one order, initial values that depend on the seed and the name alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use rand::Rng as _;
use skeleton_graph::random::{Key, Purpose, Rng, stream};

use crate::error::{Error, Result};

/// Endings of the names of running statistics, which are saved with the parameters but not trained.
const STATISTICS: [&str; 2] = [".running_mean", ".running_var"];

fn is_statistic(name: &str) -> bool {
    STATISTICS.iter().any(|ending| name.ends_with(ending))
}

/// All tensors of one model by name. Models ask its [`builder`](Store::builder) for their parameters,
/// which are drawn at the first request. Candle's own `VarMap` draws from a generator that can't be
/// seeded on the CPU and iterates in random order.
#[derive(Clone, Debug)]
pub struct Store {
    source: Arc<Source>,
    dtype: DType,
    device: Device,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

/// Where initial values come from.
#[derive(Debug)]
enum Source {
    /// Drawn: a function of this seed and the name.
    Seed(u64),
    /// These tensors, and nothing else.
    Given(BTreeMap<String, Tensor>),
}

impl Store {
    /// An empty store. The initial value of a parameter is a function of `seed` and its name.
    pub fn new(seed: u64, dtype: DType, device: &Device) -> Self {
        Self::from_source(Source::Seed(seed), dtype, device)
    }

    /// A store for a model whose parameters are all there, such as a checkpoint's. What a model asks for is looked up and its
    /// shape compared before anything is allocated, so that settings from strangers can't ask for more than the tensors
    /// hold; when the model is built, [`all_used`](Self::all_used) says whether it has a use for all of them.
    pub fn of(tensors: BTreeMap<String, Tensor>, dtype: DType, device: &Device) -> Self {
        Self::from_source(Source::Given(tensors), dtype, device)
    }

    fn from_source(source: Source, dtype: DType, device: &Device) -> Self {
        Self {
            source: Arc::new(source),
            dtype,
            device: device.clone(),
            vars: Arc::default(),
        }
    }

    /// Refuses a store that was given more than was asked for.
    ///
    /// # Errors
    /// Names the first tensor that no model asked for.
    pub fn all_used(&self) -> Result<()> {
        let Source::Given(given) = &*self.source else {
            return Ok(());
        };
        let vars = self.vars();
        match given.iter().find(|(name, _)| !vars.contains_key(*name)) {
            None => Ok(()),
            Some((name, tensor)) => Err(Error::parameter(name, None, Some(tensor.dims()))),
        }
    }

    /// What a model takes its parameters from.
    pub fn builder(&self) -> VarBuilder<'static> {
        let backend: Box<dyn SimpleBackend> = Box::new(self.clone());
        VarBuilder::from_backend(backend, self.dtype, self.device.clone())
    }

    /// The trained parameters, sorted by name: the order of gradients, moments and files.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        let vars = self.vars();
        vars.iter()
            .filter(|(name, _)| !is_statistic(name))
            .map(|(name, var)| (name.clone(), var.clone()))
            .collect()
    }

    /// The running statistics, sorted by name.
    pub fn statistics(&self) -> Vec<(String, Var)> {
        let vars = self.vars();
        vars.iter()
            .filter(|(name, _)| is_statistic(name))
            .map(|(name, var)| (name.clone(), var.clone()))
            .collect()
    }

    /// Every tensor, running statistics included, as it is now.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let vars = self.vars();
        vars.iter()
            .map(|(name, var)| (name.clone(), var.as_detached_tensor()))
            .collect()
    }

    /// Sets every tensor to the one of the same name.
    ///
    /// # Errors
    /// When a name is missing or unknown on either side, or a shape differs; nothing is set then.
    pub fn load(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        let vars = self.vars();
        for name in vars.keys().chain(tensors.keys()) {
            let own = vars.get(name).map(|var| var.dims());
            let given = tensors.get(name).map(Tensor::dims);
            if own != given {
                return Err(Error::parameter(name, own, given));
            }
        }
        for (name, var) in vars.iter() {
            let given = tensors[name].to_dtype(self.dtype)?;
            // A copy, since a variable refuses a tensor that shares its own storage, as `tensors` gives.
            let given = given.to_device(&self.device)?.contiguous()?;
            var.set(&given.copy()?)?;
        }
        Ok(())
    }

    /// Copies of all tensors whose names start with `prefix`, under their names behind it.
    pub fn with_prefix(&self, prefix: &str) -> BTreeMap<String, Tensor> {
        let own = self.tensors().into_iter();
        own.filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_owned(), t)))
            .collect()
    }

    fn vars(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Var>> {
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Store {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let mut vars = self.vars();
        if let Some(var) = vars.get(name) {
            if var.shape() != &shape {
                candle_core::bail!("{name}: asked for {shape:?}, found {:?}", var.shape());
            }
            return Ok(var.as_tensor().clone());
        }
        let var = match &*self.source {
            Source::Seed(seed) => {
                let mut rng = stream(*seed, Purpose::Init, 0, Key::Clip(name));
                let values = draw(&mut rng, init, shape.elem_count())?;
                // Drawn and rounded on the host: no device needs `f64` for it.
                let values = Tensor::from_vec(values, shape, &Device::Cpu)?;
                Var::from_tensor(&values.to_dtype(dtype)?.to_device(device)?)?
            }
            Source::Given(tensors) => {
                let given = tensors.get(name);
                let Some(given) = given.filter(|given| given.shape() == &shape) else {
                    let given = given.map(Tensor::dims);
                    candle_core::bail!("{}", Error::parameter(name, Some(shape.dims()), given));
                };
                Var::from_tensor(&given.to_dtype(dtype)?.to_device(device)?)?
            }
        };
        vars.insert(name.to_owned(), var.clone());
        Ok(var.into_inner())
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.vars().get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => candle_core::bail!("no parameter {name}"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.vars().contains_key(name)
    }
}

fn draw(rng: &mut Rng, init: Init, n: usize) -> candle_core::Result<Vec<f64>> {
    Ok(match init {
        Init::Const(value) => vec![value; n],
        Init::Uniform { lo, up } => (0..n)
            .map(|_| lo + (up - lo) * rng.random::<f64>())
            .collect(),
        Init::Randn { mean, stdev } => (0..n).map(|_| mean + stdev * normal(rng)).collect(),
        Init::Kaiming { .. } => candle_core::bail!("the models here state their bounds"),
    })
}

/// A standard normal number, by Box and Muller.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
