//! Any bytes as the JSON body of a request: of fixed shape, a new record, a change of one, a replacement.
#![no_main]

#[path = "../../../../server/http/src/extract/strict.rs"]
#[allow(dead_code)]
mod strict;

use serde_json::Value as Json;
use stead_fuzz::app;
use stead_schema::validate::{Defaults, create, create_unless_found, patch, replace};
use stead_schema::{SlotSet, Value};
use stead_wire::auth::{PasswordSignIn, Refresh, SignOut, SignUp};
use stead_wire::records::Batch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(json) = strict::parse(bytes) else { return };
    let whole = json.clone();
    let _ = serde_json::from_value::<SignUp>(whole.clone());
    let _ = serde_json::from_value::<PasswordSignIn>(whole.clone());
    let _ = serde_json::from_value::<Refresh>(whole.clone());
    let _ = serde_json::from_value::<SignOut>(whole.clone());
    let _ = serde_json::from_value::<Batch>(whole);
    let Json::Object(body) = json else { return };
    let defaults = Defaults { now: 0, auth_id: Some("ann") };
    for collection in &app().schema.collections {
        let empty = vec![Value::Null; collection.fields.len()];
        let stored = match create_unless_found(collection, &body, defaults) {
            Ok(draft) => draft.row,
            Err(_) => empty,
        };
        let _ = create(collection, &body, defaults);
        if let Ok(draft) = patch(collection, &stored, &body) {
            let mut out = Vec::new();
            stead_schema::encode::open_record(collection, &draft.row, SlotSet::EMPTY, &mut out);
        }
        let _ = replace(collection, &stored, &body, defaults, SlotSet::EMPTY);
    }
});
