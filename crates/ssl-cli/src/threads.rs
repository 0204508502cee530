//! One pool of threads: rayon's, which the models' ops share.
#![allow(unsafe_code, reason = "the environment is shared by all threads")]

/// Keeps Candle's own threads from starting; call it before the first thread does. They would take a core each to spin on while they wait for an
/// elementwise operation: a fifth of a fine-tuning epoch went there. What the user set stays.
pub fn only_rayons() {
    for name in ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"] {
        if std::env::var_os(name).is_none() {
            // SAFETY: no other thread runs yet that could read the environment meanwhile.
            unsafe { std::env::set_var(name, "1") };
        }
    }
}
