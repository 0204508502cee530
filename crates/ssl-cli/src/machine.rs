//! Where the arithmetic happens: the device as it is typed, and opened.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use candle_core::utils::{cuda_is_available, metal_is_available};
use candle_core::{DType, Device as CandleDevice};
use serde::{Deserialize, Serialize};
use skeleton_kernels::reference_only;

use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::process;
use crate::ranks::world;

/// What computes, as it is typed and recorded: `cpu`, `cuda:0`, `metal:0` or `auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this number.
    Cuda(usize),
    /// The Apple GPU of this number.
    Metal(usize),
    /// The first GPU that this program and this machine have, else the processor.
    Auto,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
            Device::Metal(number) => write!(f, "metal:{number}"),
            Device::Auto => f.write_str("auto"),
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Device, String> {
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, number.parse().ok()),
            None => (text, Some(0)),
        };
        match (kind, number, text.contains(':')) {
            ("cpu", _, false) => Ok(Device::Cpu),
            ("auto", _, false) => Ok(Device::Auto),
            ("cuda", Some(number), _) => Ok(Device::Cuda(number)),
            ("metal", Some(number), _) => Ok(Device::Metal(number)),
            _ => Err(format!(
                "expected cpu, cuda, cuda:NUMBER, metal, metal:NUMBER or auto, found {text}"
            )),
        }
    }
}

impl From<Device> for String {
    fn from(device: Device) -> String {
        device.to_string()
    }
}

impl TryFrom<String> for Device {
    type Error = String;

    fn try_from(text: String) -> Result<Device, String> {
        text.parse()
    }
}

/// The type of features and of the products that make them. Parameters, moments, statistics and losses are `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// Features of 32 bits, of which products read 19 (NVIDIA's TensorFloat-32).
    Tf32,
    /// Features of 16 bits (bfloat16).
    Bf16,
}

impl Precision {
    /// Whether it is the default, which is not recorded.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
    pub fn is_f32(&self) -> bool {
        *self == Precision::F32
    }

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        }
    }

    /// The type of features.
    fn features(self) -> DType {
        match self {
            Precision::F32 | Precision::Tf32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }

    /// Refuses what a device doesn't have.
    fn check(self, device: Device) -> Outcome {
        let has = match (self, device) {
            (Precision::F32, _) | (_, Device::Cuda(_)) => true,
            (Precision::Tf32, _) => false,
            (Precision::Bf16, Device::Metal(_)) => true,
            // The definitions compute in it slowly: that is for tests.
            (Precision::Bf16, _) => reference_only(),
        };
        if has {
            return Ok(());
        }
        let name = self.name();
        let message = format!("--precision {name}: {device} computes in f32 here");
        Err(Failure::usage(message)
            .hint("tf32 and bf16 are for --device cuda, bf16 for --device metal too"))
    }
}

impl Device {
    /// What it stands for on this machine: `auto` takes a device and says which and why.
    pub fn settled(self, printer: &Printer) -> Device {
        if self != Device::Auto {
            return self;
        }
        let built = [
            (cuda_is_available(), Device::Cuda(0)),
            (metal_is_available(), Device::Metal(0)),
        ];
        let mut built = built.into_iter().filter_map(|(is, gpu)| is.then_some(gpu));
        let (device, why) = match built.clone().find(|gpu| gpu.open().is_ok()) {
            Some(gpu) => (gpu, "the first GPU of this machine"),
            None if built.next().is_some() => (Device::Cpu, "no GPU answers"),
            None => (Device::Cpu, "this program is built for the processor alone"),
        };
        printer.say(format!("device: {device} ({why})"));
        device
    }

    /// The device of the rank that has `local` others before it on its machine: the GPU after so many others, or of those that
    /// the launcher has made `visible` to it, as Slurm does with `--gpus-per-task`.
    fn of_rank(self, local: usize, visible: Option<String>) -> Device {
        let visible = visible.map(|list| list.split(',').filter(|id| !id.is_empty()).count());
        let turn = |number: usize| match visible {
            Some(n) if n > 0 => (number + local) % n,
            _ => number + local,
        };
        match self {
            Device::Cuda(number) if local > 0 => Device::Cuda(turn(number)),
            Device::Metal(_) | Device::Cuda(_) | Device::Cpu | Device::Auto => self,
        }
    }

    /// Opens the device; what a process has opened last it doesn't open again.
    fn open(self) -> Outcome<CandleDevice> {
        static LAST: Mutex<Option<(Device, CandleDevice)>> = Mutex::new(None);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((device, opened)) = &*last
            && *device == self
        {
            return Ok(opened.clone());
        }
        let opened = self.open_anew()?;
        *last = Some((self, opened.clone()));
        Ok(opened)
    }

    fn open_anew(self) -> Outcome<CandleDevice> {
        let opened = match self {
            Device::Cpu | Device::Auto => return Ok(CandleDevice::Cpu),
            Device::Cuda(number) => CandleDevice::new_cuda(number),
            Device::Metal(number) => CandleDevice::new_metal(number),
        };
        opened.map_err(|error| {
            let built = match self {
                Device::Metal(_) => metal_is_available(),
                _ => cuda_is_available(),
            };
            if !built {
                return self.not_built();
            }
            // Candle appends a backtrace.
            let error = error.to_string();
            let error = error.lines().next().unwrap_or_default();
            Failure::error(format!("{self}: {error}")).hint(match self {
                Device::Metal(_) => "Metal's devices count from 0; --device cpu computes without one",
                _ => "`nvidia-smi` lists the GPUs, from 0, and the driver, which has to be 580 or newer for CUDA 13; --device cpu computes without one",
            })
        })
    }

    /// Why a program without a device's support doesn't compute on it.
    fn not_built(self) -> Failure {
        let failure = Failure::error(format!(
            "{self}: this program is built without it and computes on the processor"
        ));
        failure.hint(match self {
            Device::Metal(_) => {
                "`cargo build --release --package ssl-cli --features metal` on a Mac makes one that has it"
            }
            _ => {
                "type `ssl-cuda` in place of `ssl`: `cargo xtask cuda-build` makes it; or leave --device out"
            }
        })
    }
}

/// The device and the threads of this process.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What computes.
    pub device: CandleDevice,
    /// Its name, for records.
    pub name: String,
    /// The type of features.
    pub features: DType,
    /// Threads computed with.
    pub threads: usize,
}

impl Machine {
    /// Opens the device and bounds the threads; once in a process. The device is [settled](Device::settled).
    pub fn start(device: Device, precision: Precision, threads: Option<u16>) -> Outcome<Machine> {
        precision.check(device)?;
        let device = device.of_rank(
            world().local().0,
            std::env::var("CUDA_VISIBLE_DEVICES").ok(),
        );
        let opened = device.open()?;
        process::keep_freed_of(&opened);
        candle_core::cuda::set_gemm_reduced_precision_f32(precision == Precision::Tf32);
        let threads = threads.map_or(world().share_of(process::cores()), usize::from);
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(|error| Failure::error(format!("starting {threads} threads: {error}")))?;
        Ok(Machine {
            name: match process::card(&opened) {
                Some(card) => format!("{device} ({card})"),
                None => device.to_string(),
            },
            device: opened,
            features: precision.features(),
            threads,
        })
    }

    /// The CPU, in a test.
    #[cfg(test)]
    pub fn cpu(threads: usize) -> Machine {
        Machine {
            device: CandleDevice::Cpu,
            name: "cpu".to_owned(),
            features: DType::F32,
            threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for (text, device) in [
            ("cpu", Device::Cpu),
            ("auto", Device::Auto),
            ("cuda:0", Device::Cuda(0)),
            ("cuda:12", Device::Cuda(12)),
            ("metal:1", Device::Metal(1)),
        ] {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for text in [
            "", "gpu", "cpu:0", "auto:1", "cuda:", "cuda:x", "cuda:-1", "CUDA",
        ] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_rank_of_a_machine_has_a_gpu_of_its_own() {
        let of = |local, visible: &str| {
            let visible = Some(visible.to_owned()).filter(|list| !list.is_empty());
            Device::Cuda(0).of_rank(local, visible)
        };
        assert_eq!([of(0, ""), of(3, "")], [Device::Cuda(0), Device::Cuda(3)]);
        assert_eq!(
            [of(1, "0"), of(1, "GPU-1,GPU-2"), of(5, "0,1,2,3")],
            [0, 1, 1].map(Device::Cuda)
        );
        assert_eq!(Device::Cpu.of_rank(2, None), Device::Cpu);
        assert_eq!(Device::Metal(0).of_rank(2, None), Device::Metal(0));
    }

    #[test]
    fn a_precision_that_the_device_lacks_is_refused() {
        let check = |precision: Precision, device| precision.check(device).is_ok();
        assert!(check(Precision::F32, Device::Cpu));
        assert!(!check(Precision::Tf32, Device::Cpu));
        assert!(!check(Precision::Tf32, Device::Metal(0)));
        assert_eq!(check(Precision::Bf16, Device::Cpu), reference_only());
        for precision in [Precision::Tf32, Precision::Bf16] {
            assert!(check(precision, Device::Cuda(3)));
        }
    }
}
