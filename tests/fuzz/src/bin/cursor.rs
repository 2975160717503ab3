//! An order and a cursor, one a line: as a client sends it, and with a check that is right.
#![no_main]

use stead_engine::records::try_cursor;
use stead_fuzz::{collection, lines};
use stead_rules::filter::parse_sort;
use stead_schema::SlotSet;

libfuzzer_sys::fuzz_target!(|input: &str| {
    let [sort, cursor] = lines(input);
    for name in ["things", "members"] {
        let collection = collection(name);
        let Ok(sort) = parse_sort(sort, collection, SlotSet::EMPTY) else { continue };
        for keys in try_cursor(collection, &sort, cursor).into_iter().flatten() {
            assert_eq!(keys.len(), sort.len());
        }
    }
});
