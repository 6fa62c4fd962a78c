//! The JSON-RPC envelope: it accepts nothing that is not JSON for serde_json, and its verdict does not depend on blanks
//! around the message.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use toolgate::wire::message::Message;

fuzz_target!(|input: &[u8]| {
    let is_good = Message::parse(Bytes::copy_from_slice(input)).is_ok();
    if is_good {
        serde_json::from_slice::<&RawValue>(input).expect("a message is JSON");
    }
    let padded = [b" \n", input, b"\r\n\t"].concat();
    assert_eq!(Message::parse(Bytes::from(padded)).is_ok(), is_good);
});
