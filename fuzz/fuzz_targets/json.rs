//! The JSON scan: it accepts nothing that is not JSON for serde_json, and its verdict is stable.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use toolgate::wire::json::Json;

fuzz_target!(|input: &[u8]| {
    let is_good = Json::scan(Bytes::copy_from_slice(input)).is_ok();
    assert_eq!(Json::scan(Bytes::copy_from_slice(input)).is_ok(), is_good);
    if is_good {
        serde_json::from_slice::<&RawValue>(input).expect("what the scan accepts is JSON");
    }
});
