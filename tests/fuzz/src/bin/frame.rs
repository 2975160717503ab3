//! Any bytes as a message of a realtime client: one frame or a list of them, and what a subscription asks for.
#![no_main]

use stead_fuzz::{app, collection};
use stead_rules::filter::{FilterScope, parse, parse_sort};
use stead_schema::SlotSet;
use stead_wire::frames::ClientFrame;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let one = serde_json::from_slice::<ClientFrame>(bytes).map(|frame| vec![frame]);
    let many = serde_json::from_slice::<Vec<ClientFrame>>(bytes);
    for frame in one.into_iter().chain(many).flatten() {
        // Tokens must not be shown.
        let shown = format!("{frame:?}");
        let things = collection("things");
        match frame {
            ClientFrame::Sub(ask) => {
                let hidden = SlotSet::EMPTY;
                let scope =
                    FilterScope { schema: &app().schema, rules: &app().rules, collection: things, hidden };
                let _ = parse(ask.filter.as_deref().unwrap_or("true"), &ask.p, &scope);
                let _ = parse_sort(ask.sort.as_deref().unwrap_or_default(), things, hidden);
            }
            ClientFrame::Auth { token, .. } | ClientFrame::Hello { token: Some(token), .. } => {
                assert!(token.len() < 16 || !shown.contains(&token), "a token is shown");
            }
            _ => {}
        }
    }
});
