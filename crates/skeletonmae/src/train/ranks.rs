//! Several processes, the ranks, that make each step of a training together.
//!
//! A step is an ordered list of micro-batches, of which rank r of R computes those of number r, r + R, r + 2 R and so on. What
//! they give is exchanged, and every rank adds it up in the order of the micro-batches, so that the sum has the same bits
//! whatever R is. Engines know the trait [`Ranks`] alone: [`Alone`] is one process, [`Channels`] are threads of one, and the
//! program's feature `mpi` brings processes on many machines.

use std::fmt::Debug;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::error::{Error, Result};

/// Processes with numbers from 0, each of which calls the same methods in the same order.
pub trait Ranks: Debug {
    /// This one's number, below [`size`](Self::size).
    fn rank(&self) -> usize;

    /// How many there are, at least 1.
    fn size(&self) -> usize;

    /// Everyone's bytes, in the order of ranks.
    ///
    /// # Errors
    /// When a rank is gone.
    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>>;

    /// Gives rank i the bytes `to[i]`, and returns what each rank has for this one, of which the lengths, `from`, are known.
    ///
    /// # Errors
    /// When a rank is gone.
    fn exchange(&self, to: &[Vec<u8>], from: &[usize]) -> Result<Vec<Vec<u8>>>;
}

/// Whether any rank wants something; each says whether it does.
///
/// # Errors
/// When a rank is gone.
pub fn any(ranks: &dyn Ranks, own: bool) -> Result<bool> {
    let n = ranks.size();
    if n == 1 {
        return Ok(own);
    }
    let all = ranks.exchange(&vec![vec![u8::from(own)]; n], &vec![1; n])?;
    Ok(all.iter().any(|flag| flag == &[1]))
}

/// What each rank has, in the order of ranks; the error of one ends all.
///
/// # Errors
/// This rank's own, another's, or when a rank is gone.
pub fn gathered(ranks: &dyn Ranks, own: Result<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let mut message = Writer::default();
    message.number(usize::from(own.is_ok()));
    match &own {
        Ok(bytes) => message.bytes(bytes),
        Err(error) => message.text(&error.to_string()),
    }
    let messages = ranks.all_gather(&message.done())?;
    own?;
    let all = messages.iter().enumerate().map(|(rank, message)| {
        let mut message = Reader::of(message);
        match message.number()? {
            1 => Ok(message.bytes()?.to_vec()),
            _ => Err(Error::OtherRank {
                rank,
                message: message.text()?,
            }),
        }
    });
    all.collect()
}

/// The part of `n` things that a rank has where they follow each other: as equal as can be.
pub fn part(ranks: &dyn Ranks, n: usize) -> std::ops::Range<usize> {
    let (rank, size) = (ranks.rank(), ranks.size());
    rank * n / size..(rank + 1) * n / size
}

/// One process, which has nobody to exchange anything with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(vec![own.to_vec()])
    }

    fn exchange(&self, to: &[Vec<u8>], _: &[usize]) -> Result<Vec<Vec<u8>>> {
        Ok(to.to_vec())
    }
}

/// Threads of one process, each with a model of its own: what tests of several ranks need.
#[derive(Debug)]
pub struct Channels {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Vec<Receiver<Vec<u8>>>,
}

impl Channels {
    /// `n` ranks, one for each thread.
    pub fn of(n: usize) -> Vec<Channels> {
        let mut ranks: Vec<Channels> = (0..n)
            .map(|rank| Channels {
                rank,
                to: Vec::new(),
                from: Vec::new(),
            })
            .collect();
        for from in 0..n {
            for to in 0..n {
                let (send, receive) = channel();
                ranks[from].to.push(send);
                ranks[to].from.push(receive);
            }
        }
        ranks
    }
}

impl Ranks for Channels {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.exchange(&vec![own.to_vec(); self.size()], &[])
    }

    fn exchange(&self, to: &[Vec<u8>], from: &[usize]) -> Result<Vec<Vec<u8>>> {
        let gone = |rank: usize| Error::Exchange(format!("rank {rank} is gone"));
        for (rank, (send, bytes)) in self.to.iter().zip(to).enumerate() {
            send.send(bytes.clone()).map_err(|_| gone(rank))?;
        }
        let received = self.from.iter().enumerate();
        let received = received.map(|(rank, receive)| receive.recv().map_err(|_| gone(rank)));
        let received = received.collect::<Result<Vec<_>>>()?;
        match from.iter().zip(&received).find(|(n, b)| **n != b.len()) {
            None => Ok(received),
            Some((n, bytes)) => Err(Error::Exchange(format!(
                "expected {n} bytes, found {}",
                bytes.len()
            ))),
        }
    }
}

/// A message between ranks that is being written.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A whole number.
    pub fn number(&mut self, number: usize) {
        self.0.extend((number as u64).to_le_bytes());
    }

    /// Numbers in double precision, with their count.
    pub fn reals(&mut self, numbers: &[f64]) {
        self.number(numbers.len());
        self.0.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    }

    /// Numbers in single precision, with their count.
    pub fn singles(&mut self, numbers: &[f32]) {
        self.number(numbers.len());
        self.0.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    }

    /// Bytes, with their count.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend(bytes);
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// The message.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// A message that is read in the order in which it was written.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// From its beginning.
    pub fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let Some((own, rest)) = self.0.split_at_checked(n) else {
            let message = format!("expected {n} more bytes, found {}", self.0.len());
            return Err(Error::Exchange(message));
        };
        self.0 = rest;
        Ok(own)
    }

    /// A whole number.
    ///
    /// # Errors
    /// When the message ends before it.
    pub fn number(&mut self) -> Result<usize> {
        let bytes = self.take(8)?.try_into();
        Ok(u64::from_le_bytes(bytes.unwrap_or_default()) as usize)
    }

    /// Numbers in double precision.
    ///
    /// # Errors
    /// When the message ends before them.
    pub fn reals(&mut self) -> Result<Vec<f64>> {
        let n = self.number()?;
        let bytes = self.take(n.saturating_mul(8))?;
        Ok(bytes
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default()))
            .collect())
    }

    /// Numbers in single precision.
    ///
    /// # Errors
    /// When the message ends before them.
    pub fn singles(&mut self) -> Result<Vec<f32>> {
        let n = self.number()?;
        let bytes = self.take(n.saturating_mul(4))?;
        Ok(bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap_or_default()))
            .collect())
    }

    /// Bytes.
    ///
    /// # Errors
    /// When the message ends before them.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.number()?;
        self.take(n)
    }

    /// A text.
    ///
    /// # Errors
    /// When the message ends before it.
    pub fn text(&mut self) -> Result<String> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rank_has_what_the_others_gave_it() {
        let threads: Vec<_> = Channels::of(3)
            .into_iter()
            .map(|own| {
                std::thread::spawn(move || {
                    let rank = own.rank() as u8;
                    let all = own.all_gather(&vec![rank; usize::from(rank)]).unwrap();
                    assert_eq!(all, [vec![], vec![1], vec![2, 2]]);
                    let to: Vec<Vec<u8>> = (0..3).map(|other| vec![10 * rank + other]).collect();
                    let given = own.exchange(&to, &[1; 3]).unwrap();
                    assert_eq!(given, [[rank], [10 + rank], [20 + rank]]);
                    assert!(any(&own, rank == 2).unwrap() && !any(&own, false).unwrap());
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn a_rank_that_is_gone_is_an_error_and_no_endless_wait() {
        let mut both = Channels::of(2);
        both.pop();
        let error = both[0].all_gather(&[]).unwrap_err();
        assert!(error.to_string().contains("rank 1 is gone"), "{error}");
    }

    #[test]
    fn messages_are_read_as_they_were_written_and_a_short_one_is_refused() {
        let mut writer = Writer::default();
        writer.number(7);
        writer.reals(&[0.1, f64::NAN, -0.0]);
        writer.text("clip é");
        let message = writer.done();
        let mut reader = Reader::of(&message);
        assert_eq!(reader.number().unwrap(), 7);
        let bits: Vec<u64> = reader
            .reals()
            .unwrap()
            .iter()
            .map(|x| x.to_bits())
            .collect();
        assert_eq!(bits, [0.1, f64::NAN, -0.0].map(f64::to_bits));
        assert_eq!(reader.text().unwrap(), "clip é");
        assert!(reader.number().is_err());
        // The number 7 as a count of bytes, of which there are 6.
        assert!(Reader::of(&message[..14]).bytes().is_err());
    }
}
