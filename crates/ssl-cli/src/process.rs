//! The process: which threads it starts, what its allocators keep, how much memory is left, how others are asked to stop.
//!
//! A step allocates and frees hundreds of activations of several megabytes. By default glibc returns such blocks to the
//! system at once and fetches them again zeroed, page by page: a third of the time of a pre-training epoch went there.
//! CUDA's driver does the like, which took a seventh of a step.
#![allow(unsafe_code, reason = "sets allocators, the environment, signals")]

use std::fs;
use std::path::Path;
use std::process::Child;

use candle_core::Device;

/// Keeps Candle's own threads from starting; call it before the first thread does. They would take a core each to spin on while they wait for an
/// elementwise operation: a fifth of a fine-tuning epoch went there. What the user set stays.
pub fn leave_threads_to_rayon() {
    for name in ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"] {
        if std::env::var_os(name).is_none() {
            // SAFETY: no other thread runs yet that could read the environment meanwhile.
            unsafe { std::env::set_var(name, "1") };
        }
    }
}

/// Asks a process that we started to save and stop.
#[cfg(unix)]
pub fn interrupt_child(child: &mut Child) {
    // SAFETY: `kill` only sends a signal. Until we wait for a child that ended, its number is no other process's.
    unsafe { libc::kill(child.id().cast_signed(), libc::SIGINT) };
}

/// Ends a process that we started: it can't be asked here.
#[cfg(not(unix))]
pub fn interrupt_child(child: &mut Child) {
    let _ = child.kill();
}

/// Largest threshold that every glibc accepts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MOST_EVERYWHERE: i32 = 32 << 20;

/// Asks the allocator to keep freed blocks; call it before the first thread starts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_freed_blocks() {
    // SAFETY: `mallopt` only sets parameters of the allocator, and no other thread runs yet.
    unsafe {
        if libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30) == 0 {
            libc::mallopt(libc::M_MMAP_THRESHOLD, MOST_EVERYWHERE);
        }
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed_blocks() {}

/// Asks a device's allocator to keep freed blocks, where it can be asked.
pub fn keep_freed_of(device: &Device) {
    #[cfg(feature = "cuda")]
    cuda::keep_freed(device);
    #[cfg(not(feature = "cuda"))]
    let _ = device;
}

/// What the device calls itself, where it is a GPU that says it.
pub fn card(device: &Device) -> Option<String> {
    #[cfg(feature = "cuda")]
    return cuda::name(device);
    #[cfg(not(feature = "cuda"))]
    {
        let _ = device;
        None
    }
}

/// Bytes that this process may still take on the device, where that is known.
pub fn free(device: &Device) -> Option<u64> {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        return cuda::free(device);
    }
    match device.is_cpu() {
        true => free_of_system(Path::new("/")),
        false => None,
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use candle_core::Device;
    use candle_core::cuda_backend::cudarc::driver::result::{device, mem_pool};
    use candle_core::cuda_backend::cudarc::driver::sys::CUmemPool_attribute as Attribute;

    pub fn keep_freed(on: &Device) {
        let Device::Cuda(cuda) = on else { return };
        let stream = cuda.cuda_stream();
        let context = stream.context();
        if context.bind_to_thread().is_err() {
            return;
        }
        let mut all = u64::MAX;
        let threshold = Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        // SAFETY: the device is the context's, the pool is the device's own, and the attribute is a number of 64 bits. Where
        // the device has no pools, nothing is kept.
        unsafe {
            if let Ok(pool) = device::get_default_mem_pool(context.cu_device()) {
                let _ = mem_pool::set_attribute(pool, threshold, (&raw mut all).cast());
            }
        }
    }

    pub fn name(on: &Device) -> Option<String> {
        let Device::Cuda(cuda) = on else { return None };
        cuda.cuda_stream().context().name().ok()
    }

    pub fn free(on: &Device) -> Option<u64> {
        let Device::Cuda(cuda) = on else { return None };
        let (free, _) = cuda.cuda_stream().context().mem_get_info().ok()?;
        Some(free as u64)
    }
}

/// What the machine calls itself, in characters that a file's name may have.
pub fn host_name() -> String {
    let named = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let asked = || {
        let output = std::process::Command::new("hostname").output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let name = named.or_else(asked).unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-._".contains(*c);
    let name: String = name.trim().chars().filter(plain).take(64).collect();
    match name.is_empty() {
        true => "unknown".to_owned(),
        false => name,
    }
}

/// What the system has, or the control group the process is in, as containers and batch systems set them. `root` is where
/// /proc and /sys are.
fn free_of_system(root: &Path) -> Option<u64> {
    let system = fs::read_to_string(root.join("proc/meminfo"))
        .ok()
        .and_then(|text| {
            let line = text
                .lines()
                .find(|line| line.starts_with("MemAvailable:"))?;
            let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kilobytes * 1024)
        });
    let number = |path: &str| -> Option<u64> {
        let text = fs::read_to_string(root.join(path)).ok()?;
        text.trim().parse().ok()
    };
    let group = |most: &str, used: &str| Some(number(most)?.saturating_sub(number(used)?));
    let groups = [
        group("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current"),
        group(
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ];
    groups.into_iter().flatten().chain(system).min()
}

/// The instruction set that the ops chose, with ", definitions" behind it where `SSL_REFERENCE=1` sends every op through its
/// definition in place of its fused form.
pub fn instruction_set() -> String {
    let chosen = skeleton_kernels::instruction_set();
    match skeleton_kernels::reference_only() {
        true => format!("{chosen}, definitions"),
        false => chosen.to_owned(),
    }
}

/// Cores that this process may compute on.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The processor's name; empty where the system has no file that says it.
pub fn processor() -> String {
    field("/proc/cpuinfo", "model name")
}

/// The value of the first line `NAME: VALUE` of a file; nothing where there is none.
pub fn field(path: &str, name: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(key, _)| key.trim() == name);
    found.map_or(String::new(), |(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_the_least_that_anyone_allows() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(free_of_system(root.path()), None);
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:   4 kB\n");
        assert_eq!(free_of_system(root.path()), Some(4096));
        write("sys/fs/cgroup/memory.max", "max\n");
        write("sys/fs/cgroup/memory.current", "100\n");
        assert_eq!(free_of_system(root.path()), Some(4096));
        write("sys/fs/cgroup/memory.max", "1100\n");
        assert_eq!(free_of_system(root.path()), Some(1000));
    }
}
