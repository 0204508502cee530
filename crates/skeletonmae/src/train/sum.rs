//! What the micro-batches of a step give, added up: the same bits whether one process computed all of them or several ranks
//! some each.

use std::ops::Add;

use bytemuck::Pod;
use candle_core::{DType, Tensor, Var, WithDType};
use skeleton_kernels::{constant, host};

use crate::error::{Error, Result};
use crate::layers::Move;
use crate::train::Gradients;
use crate::train::gradients::flat;
use crate::train::ranks::{Ranks, Reader, Writer};

/// Parameters or running statistics, in a store's order.
type Named = [(String, Var)];

/// What one micro-batch gave.
#[derive(Debug)]
pub(super) struct Part {
    /// Its share of the step's loss, (1).
    pub loss: Tensor,
    /// Of that share.
    pub gradients: Gradients,
    /// Of the running statistics, in the order in which its norms made them.
    pub moves: Vec<Move>,
}

/// What all micro-batches of a step gave, in their order.
#[derive(Debug)]
pub(super) struct Sum {
    /// The shares of the loss, (1) each.
    pub losses: Vec<Tensor>,
    /// ((g1 + g2) + g3) and so on.
    pub gradients: Gradients,
    /// Of the running statistics.
    pub moves: Vec<Move>,
}

impl Sum {
    /// Of no micro-batch yet, of `parameters` parameters.
    pub fn none(parameters: usize) -> Self {
        Self {
            losses: Vec::new(),
            gradients: Gradients::none(parameters),
            moves: Vec::new(),
        }
    }

    /// Adds the next micro-batch.
    pub fn add(&mut self, part: Part) -> candle_core::Result<()> {
        self.losses.push(part.loss);
        self.moves.extend(part.moves);
        self.gradients.join(part.gradients)
    }
}

/// What a rank tells the others of one of its micro-batches, beside its gradients.
struct Head {
    loss: f64,
    /// Each of a running statistic, by its place in the store's order, with its new values.
    moves: Vec<(usize, Vec<f64>)>,
    /// The shape of each parameter's gradient; none where the loss doesn't depend on it.
    shapes: Vec<Option<Vec<usize>>>,
}

impl Head {
    fn of(part: &Part, statistics: &Named) -> Result<Self> {
        let place = |of: &Move| {
            let mut all = statistics.iter();
            let place = all.position(|(_, var)| var.id() == of.var.id());
            place.ok_or_else(|| Error::Exchange("a running statistic of no store".into()))
        };
        let numbers = match flat(part.moves.iter().map(|of| &of.values))? {
            None => Vec::new(),
            Some(all) => host::read::<f64>(&all)?,
        };
        let mut left = &numbers[..];
        let mut moves = Vec::with_capacity(part.moves.len());
        for of in &part.moves {
            let (own, others) = left.split_at(of.values.elem_count());
            moves.push((place(of)?, own.to_vec()));
            left = others;
        }
        let gradients = part.gradients.as_slice().iter();
        Ok(Self {
            loss: host::read::<f64>(&part.loss)?[0],
            moves,
            shapes: gradients
                .map(|gradient| Some(gradient.as_ref()?.dims().to_vec()))
                .collect(),
        })
    }

    fn write(&self, message: &mut Writer) {
        message.reals(&[self.loss]);
        message.number(self.moves.len());
        for (place, values) in &self.moves {
            message.number(*place);
            message.reals(values);
        }
        let mut shapes = Vec::new();
        for shape in &self.shapes {
            match shape {
                None => shapes.push(u32::MAX),
                Some(dims) => {
                    shapes.push(dims.len() as u32);
                    shapes.extend(dims.iter().map(|&dim| dim as u32));
                }
            }
        }
        message.bytes(bytemuck::cast_slice(&shapes));
    }

    fn read(message: &mut Reader<'_>) -> Result<Self> {
        let loss = message.reals()?.first().copied().unwrap_or(f64::NAN);
        let moves = message.number()?;
        let moves = (0..moves).map(|_| Ok((message.number()?, message.reals()?)));
        let moves = moves.collect::<Result<Vec<_>>>()?;
        let numbers: Vec<u32> = numbers_of(message.bytes()?);
        let mut numbers = numbers.into_iter();
        let mut shapes = Vec::new();
        while let Some(rank) = numbers.next() {
            shapes.push(match rank {
                u32::MAX => None,
                rank => Some(
                    (&mut numbers)
                        .take(rank as usize)
                        .map(|dim| dim as usize)
                        .collect(),
                ),
            });
        }
        Ok(Self {
            loss,
            moves,
            shapes,
        })
    }
}

/// Adds up what all ranks' micro-batches gave. `own` are this rank's, `weights` those of all micro-batches of the step: one of
/// weight 0 has no part. With it come all ranks' `news`, which travels along.
pub(super) fn shared(
    ranks: &dyn Ranks,
    own: Vec<Part>,
    weights: &[f64],
    (parameters, statistics): (&Named, &Named),
    news: &[u8],
) -> Result<(Sum, Vec<Vec<u8>>)> {
    let mut message = Writer::default();
    message.bytes(news);
    message.number(own.len());
    for part in &own {
        Head::of(part, statistics)?.write(&mut message);
    }
    let (mut all_news, mut heads) = (Vec::new(), Vec::new());
    for message in ranks.all_gather(&message.done())? {
        let mut message = Reader::of(&message);
        all_news.push(message.bytes()?.to_vec());
        let parts = message.number()?;
        let parts = (0..parts).map(|_| Head::read(&mut message));
        heads.push(parts.collect::<Result<Vec<_>>>()?.into_iter());
    }
    // In the order of the micro-batches, each with the rank that computed it.
    let mut ordered: Vec<(usize, Head)> = Vec::new();
    for (at, _) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
        let rank = at % ranks.size();
        let head = heads[rank].next();
        let lacks = || Error::Exchange(format!("rank {rank} lacks micro-batch {at}"));
        ordered.push((rank, head.ok_or_else(lacks)?));
    }
    let gradients = match parameters.first().map(|(_, var)| var.dtype()) {
        Some(DType::F64) => summed::<f64>(ranks, &own, &ordered, parameters)?,
        _ => summed::<f32>(ranks, &own, &ordered, parameters)?,
    };
    let mut sum = Sum {
        gradients,
        ..Sum::none(0)
    };
    for (_, head) in &ordered {
        let like = parameters.first().or(statistics.first());
        sum.losses.push(match like {
            Some((_, like)) => constant(vec![head.loss], 1, like)?,
            None => Tensor::new(&[head.loss], &candle_core::Device::Cpu)?,
        });
        for (place, values) in &head.moves {
            let Some((_, var)) = statistics.get(*place) else {
                return Err(Error::Exchange(format!("no running statistic {place}")));
            };
            sum.moves.push(Move::of(var.clone(), values)?);
        }
    }
    Ok((sum, all_news))
}

/// The sum of the gradients. Each rank adds up one stretch of all numbers, in the order of the micro-batches, so that a rank
/// receives its stretch of everyone's gradients and then the others' sums: twice the parameters, however many ranks there are.
fn summed<T: WithDType + Pod + Add<Output = T>>(
    ranks: &dyn Ranks,
    own: &[Part],
    ordered: &[(usize, Head)],
    parameters: &Named,
) -> Result<Gradients> {
    // Shapes and places of the parameters that any micro-batch has a gradient of.
    let mut places: Vec<Option<(usize, Vec<usize>)>> = Vec::new();
    let mut n = 0;
    for at in 0..parameters.len() {
        let shape = ordered
            .iter()
            .find_map(|(_, head)| head.shapes.get(at)?.clone());
        places.push(shape.map(|shape| {
            let from = n;
            n += shape.iter().product::<usize>();
            (from, shape)
        }));
    }
    let size = ranks.size();
    let stretch = |rank: usize| rank * n / size..(rank + 1) * n / size;
    let mut to: Vec<Vec<u8>> = vec![Vec::new(); size];
    for part in own {
        let numbers = dense::<T>(&part.gradients, &places, n)?;
        for (rank, to) in to.iter_mut().enumerate() {
            to.extend(bytemuck::cast_slice::<T, u8>(&numbers[stretch(rank)]));
        }
    }
    let mine = stretch(ranks.rank());
    let parts = |rank: usize| ordered.iter().filter(|(of, _)| *of == rank).count();
    let bytes = |numbers: usize| numbers * size_of::<T>();
    let from: Vec<usize> = (0..size)
        .map(|rank| parts(rank) * bytes(mine.len()))
        .collect();
    let received = ranks.exchange(&to, &from)?;
    let received: Vec<Vec<T>> = received.iter().map(|b| numbers_of(b)).collect();

    let mut taken = vec![0; size];
    let mut sum: Vec<Option<T>> = vec![None; mine.len()];
    for (rank, head) in ordered {
        let from = taken[*rank] * mine.len();
        let numbers = &received[*rank][from..from + mine.len()];
        taken[*rank] += 1;
        for (place, shape) in places.iter().zip(&head.shapes) {
            // None is not zero: it leaves the sum as it is.
            let (Some((start, _)), Some(shape)) = (place, shape) else {
                continue;
            };
            let end = start + shape.iter().product::<usize>();
            for at in (*start).max(mine.start)..end.min(mine.end) {
                let (sum, x) = (&mut sum[at - mine.start], numbers[at - mine.start]);
                *sum = Some(sum.map_or(x, |sum| sum + x));
            }
        }
    }
    let sum: Vec<T> = sum.into_iter().map(|x| x.unwrap_or(T::zero())).collect();
    let to = vec![bytemuck::cast_slice::<T, u8>(&sum).to_vec(); size];
    let from: Vec<usize> = (0..size).map(|rank| bytes(stretch(rank).len())).collect();
    let all: Vec<T> = ranks
        .exchange(&to, &from)?
        .iter()
        .flat_map(|b| numbers_of(b))
        .collect();
    let Some((_, like)) = parameters.first() else {
        return Ok(Gradients::none(0));
    };
    let all = Tensor::from_vec(all, n, like.device())?;
    let each = places.into_iter().map(|place| {
        let place =
            place.map(|(from, shape)| all.narrow(0, from, shape.iter().product())?.reshape(shape));
        place.transpose()
    });
    Ok(Gradients::of_tensors(
        each.collect::<candle_core::Result<_>>()?,
    ))
}

/// A micro-batch's gradients in their places among `n` numbers; zeros, which nobody adds, where it has none.
fn dense<T: WithDType + Pod>(
    gradients: &Gradients,
    places: &[Option<(usize, Vec<usize>)>],
    n: usize,
) -> Result<Vec<T>> {
    let mut numbers = vec![T::zero(); n];
    let Some(all) = flat(gradients.as_slice().iter().flatten())? else {
        return Ok(numbers);
    };
    let all = host::read::<T>(&all)?;
    let mut left = &all[..];
    for (gradient, place) in gradients.as_slice().iter().zip(places) {
        let (Some(gradient), Some((from, _))) = (gradient, place) else {
            continue;
        };
        let (own, others) = left.split_at(gradient.elem_count());
        numbers[*from..from + own.len()].copy_from_slice(own);
        left = others;
    }
    Ok(numbers)
}

/// Numbers whose bytes lie anywhere.
fn numbers_of<T: Pod>(bytes: &[u8]) -> Vec<T> {
    let each = bytes.chunks_exact(size_of::<T>());
    each.map(bytemuck::pod_read_unaligned).collect()
}
