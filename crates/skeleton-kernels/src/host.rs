//! Numbers on their way back from a device. Each read waits until all that was asked of the device is done, so that a
//! training step has one; everything that the models and their training read passes here and is counted.

use std::cell::Cell;

use candle_core::{Device, Result, Tensor, WithDType};

thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has read so far.
pub fn reads() -> u64 {
    READS.get()
}

/// The numbers of x in row-major order, changed to the type `T` on the host, so that no device needs to know it.
///
/// # Errors
/// When the device fails, now or in what was asked of it before.
pub fn read<T: WithDType>(x: &Tensor) -> Result<Vec<T>> {
    READS.set(READS.get() + 1);
    let x = x.detach().to_device(&Device::Cpu)?;
    x.to_dtype(T::DTYPE)?.flatten_all()?.to_vec1()
}
