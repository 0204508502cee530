//! Where the arithmetic happens.

use candle_core::Device as CandleDevice;

use crate::args::MachineArgs;
use crate::config::Device;
use crate::failure::{Failure, Outcome};

/// The device and the threads of this process.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What computes.
    pub device: CandleDevice,
    /// Its name, for records.
    pub name: &'static str,
    /// Threads computed with.
    pub threads: usize,
}

impl Machine {
    /// Opens the device and bounds the threads; once in a process.
    pub fn start(device: Device, threads: Option<u16>) -> Outcome<Machine> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.map_or(cores, usize::from);
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(|error| Failure::error(format!("starting {threads} threads: {error}")))?;
        let candle = match device {
            Device::Cpu => CandleDevice::Cpu,
        };
        Ok(Machine {
            device: candle,
            name: device.name(),
            threads,
        })
    }

    /// For commands without a config.
    pub fn of(args: MachineArgs) -> Outcome<Machine> {
        Machine::start(args.device.unwrap_or_default(), args.threads)
    }

    /// Threads that prepare batches beside those that compute.
    pub fn workers(&self) -> usize {
        self.threads
    }
}
