//! What the program `ssl` asks of the allocator, and the processor's clock.
#![allow(unsafe_code, reason = "two C functions")]

/// Freed blocks are kept for the next step, as `ssl` does; call it before the first thread starts.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn keep_freed_blocks() {
    // SAFETY: `mallopt` only sets parameters of the allocator, and no other thread runs yet.
    unsafe {
        if libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30) == 0 {
            // The largest that every glibc accepts.
            libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        }
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed_blocks() {}

/// Seconds that all threads of this process have run.
#[cfg(unix)]
pub fn processor_seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a whole timespec of this frame, to which the call writes and which outlives it.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Not asked for elsewhere.
#[cfg(not(unix))]
pub fn processor_seconds() -> f64 {
    f64::NAN
}
