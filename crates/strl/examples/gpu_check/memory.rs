//! Memory of a CUDA device: how much was in use at most, and whether what is freed is kept for the next step.
#![allow(unsafe_code, reason = "the driver's memory pools are C functions")]

use candle_core::Device;

#[cfg(feature = "cuda")]
mod pool {
    use candle_core::Device;
    use candle_core::cuda_backend::cudarc::driver::result::{device, mem_pool};
    use candle_core::cuda_backend::cudarc::driver::sys::CUmemPool_attribute as Attribute;

    /// Sets an attribute of the pool that Candle allocates from, or reads it.
    fn attribute(on: &Device, attribute: Attribute, set: Option<u64>) -> Option<u64> {
        let Device::Cuda(cuda) = on else { return None };
        let stream = cuda.cuda_stream();
        let context = stream.context();
        context.bind_to_thread().ok()?;
        let mut value = set.unwrap_or(0);
        let pointer = (&raw mut value).cast();
        // SAFETY: the device is the context's, the pool is the device's own, and these attributes are numbers of 64 bits.
        unsafe {
            let pool = device::get_default_mem_pool(context.cu_device()).ok()?;
            match set {
                Some(_) => mem_pool::set_attribute(pool, attribute, pointer).ok()?,
                None => mem_pool::get_attribute(pool, attribute, pointer).ok()?,
            }
        }
        Some(value)
    }

    pub fn forget_peak(device: &Device) {
        attribute(device, Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, Some(0));
    }

    pub fn peak(device: &Device) -> Option<u64> {
        attribute(device, Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, None)
    }

    pub fn keep_freed(device: &Device, bytes: u64) -> bool {
        let threshold = Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        attribute(device, threshold, Some(bytes)).is_some()
    }

    pub fn about(device: &Device) -> String {
        let Device::Cuda(cuda) = device else {
            return String::new();
        };
        let stream = cuda.cuda_stream();
        let context = stream.context();
        let name = context.name().unwrap_or_default();
        let pool = context.has_async_alloc();
        let events = cuda.is_event_tracking();
        format!("{name}; memory from a pool: {pool}; uses tracked by events: {events}")
    }
}

/// Begins to look for the most memory in use anew.
pub fn forget_peak(device: &Device) {
    #[cfg(feature = "cuda")]
    pool::forget_peak(device);
    #[cfg(not(feature = "cuda"))]
    let _ = device;
}

/// The most bytes in use since, where the device says it.
pub fn peak(device: &Device) -> Option<u64> {
    #[cfg(feature = "cuda")]
    return pool::peak(device);
    #[cfg(not(feature = "cuda"))]
    {
        let _ = device;
        None
    }
}

/// Up to so many freed bytes stay with the program when the device is waited for; at first none do. Says whether it could be
/// set.
pub fn keep_freed(device: &Device, bytes: u64) -> bool {
    #[cfg(feature = "cuda")]
    return pool::keep_freed(device, bytes);
    #[cfg(not(feature = "cuda"))]
    {
        let _ = (device, bytes);
        false
    }
}

/// What the device is.
pub fn about(device: &Device) -> String {
    #[cfg(feature = "cuda")]
    return pool::about(device);
    #[cfg(not(feature = "cuda"))]
    {
        let _ = device;
        String::new()
    }
}
