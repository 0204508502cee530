//! Keeps the memory of one training step for the next.
//!
//! A step allocates and frees hundreds of activations of several megabytes. By default glibc
//! returns such blocks to the system at once and fetches them again zeroed, page by page: a third
//! of the time of a pre-training epoch went there.
#![allow(unsafe_code, reason = "the allocator's settings are a C function's")]

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
