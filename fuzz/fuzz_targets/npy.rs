#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // A refusal is a right answer.
    let _ = ssl_fuzz::npy(bytes);
});
