#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| wiregate_fuzz::mysql::rows(data));
