//! Manifests: the reader never fails hard, and accepts nothing that is not TOML.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if toolgate::manifest::parse_toml(text).is_ok() {
        toml::from_str::<toml::Table>(text).expect("a manifest is TOML");
    }
});
