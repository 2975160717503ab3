//! Walking a list page by page while others write: no record that stays is left out or shown twice, in any order, with
//! nulls and hidden values among the keys; and a cursor serves its own question only.

use super::super::{Mode, create, delete, list, update};
use super::app::{App, body, code, ids_of, page};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use stead_wire::Code;
use stead_wire::records::ListParams;

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn room(dice: &mut Dice, id: &str) -> serde_json::Map<String, Value> {
    let budget = if dice.below(3) == 0 { Value::Null } else { json!(dice.below(4)) };
    let names = ["a", "b", "é"];
    let name = names[dice.below(3) as usize];
    body(json!({"id": id, "name": name, "kind": "public", "owner": "ann", "budget": budget}))
}

#[tokio::test]
async fn a_walk_sees_every_record_that_stays_once_and_in_order() {
    let sorts =
        ["budget", "-budget,name", "name,-budget", "-name,budget,-created_at", "kind,-id", "-budget,-id"];
    for (seed, sort) in (1..).zip(sorts) {
        let app = App::new().await;
        let (ann, operator, mut dice) = (app.by("ann"), app.by("operator"), Dice(seed));
        for n in 0..30 {
            let id = format!("s{n:02}");
            create(&operator, "rooms", room(&mut dice, &id), None).await.unwrap();
            // In some of them bob reads the budget, in the others it is null to him.
            if dice.below(2) == 0 {
                let admin = body(json!({"room": id, "user": "bob", "role": "admin"}));
                for member in [body(json!({"room": id, "user": "ann", "role": "admin"})), admin] {
                    create(&operator, "members", member, None).await.unwrap();
                }
            }
        }
        let bob = app.by("bob");
        let ask = |limit, cursor| ListParams {
            sort: Some(sort.into()),
            filter: Some(r#"id.startsWith("s") || id.startsWith("n")"#.into()),
            limit: Some(limit),
            cursor,
            ..Default::default()
        };
        let before = ids_of(&page(&bob, "rooms", ask(500, None)).await);
        let (mut seen, mut cursor, mut gone) = (Vec::new(), None, Vec::new());
        for turn in 0.. {
            let one = page(&bob, "rooms", ask(1 + dice.below(4) as u32, cursor)).await;
            seen.extend(ids_of(&one));
            let fresh = room(&mut dice, &format!("n{turn:02}"));
            create(&operator, "rooms", fresh, None).await.unwrap();
            let lost = format!("s{:02}", dice.below(30));
            if dice.below(3) == 0 && !gone.contains(&lost) {
                delete(&ann, "rooms", &lost, None, None).await.unwrap();
                gone.push(lost);
            }
            cursor = one["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        let stays = |id: &&String| before.contains(id) && !gone.contains(id);
        let walked: Vec<&String> = seen.iter().filter(stays).collect();
        assert_eq!(walked, before.iter().filter(stays).collect::<Vec<_>>(), "{sort}");
    }
}

#[tokio::test]
async fn a_cursor_holds_no_value_that_is_hidden_from_its_reader() {
    let app = App::new().await;
    let ask = || ListParams { sort: Some("-budget".into()), limit: Some(1), ..Default::default() };
    let shown = async |who: &str| {
        let first = page(&app.by(who), "rooms", ask()).await;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(first["next_cursor"].as_str().unwrap()).unwrap();
        String::from_utf8_lossy(&bytes[8..]).into_owned()
    };
    // Bob reads no budget: the rooms are equal to him, and ordered by id.
    assert_eq!(shown("bob").await, r#"[null,"den"]"#);
    // Control: ann reads it.
    assert_eq!(shown("ann").await, r#"[100,"den"]"#);
}

#[tokio::test]
async fn a_cursor_that_is_damaged_or_of_another_question_is_refused() {
    let app = App::new().await;
    let ann = app.by("ann");
    let ask = |filter: &str, p: &str, sort: &str, cursor: Option<&str>| ListParams {
        filter: Some(filter.into()),
        p: Some(p.into()),
        sort: Some(sort.into()),
        limit: Some(1),
        cursor: cursor.map(str::to_owned),
        ..Default::default()
    };
    let first = page(&ann, "rooms", ask("budget >= p.b", r#"{"b":1}"#, "name", None)).await;
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    for (filter, p, sort) in [
        ("budget >= p.b", r#"{"b":2}"#, "name"),
        ("budget > p.b", r#"{"b":1}"#, "name"),
        ("budget >= p.b", r#"{"b":1}"#, "-name"),
        ("budget >= p.b", r#"{"b":1}"#, "name,kind"),
    ] {
        let other = ask(filter, p, sort, Some(&cursor));
        assert_eq!(code(list(&ann, "rooms", &other).await), Code::CursorInvalid, "{filter} {p} {sort}");
    }
    let users = ListParams { sort: Some("name".into()), cursor: Some(cursor.clone()), ..Default::default() };
    assert_eq!(code(list(&ann, "users", &users).await), Code::CursorInvalid);
    for at in 0..cursor.len() {
        let mut letters: Vec<u8> = cursor.clone().into_bytes();
        letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(letters).unwrap();
        let asked = ask("budget >= p.b", r#"{"b":1}"#, "name", Some(&damaged));
        assert_eq!(code(list(&ann, "rooms", &asked).await), Code::CursorInvalid, "letter {at}");
    }
    // Control: as it came; what is shown of a record may change.
    let same =
        ListParams { fields: Some("id".into()), ..ask("budget >= p.b", r#"{"b":1}"#, "name", Some(&cursor)) };
    assert_eq!(ids_of(&page(&ann, "rooms", same).await), ["lobby"]);
    // A change of the record does not end the walk.
    update(&ann, "rooms", "den", Mode::Merge, body(json!({"name": "Other"})), None, None).await.unwrap();
    let again = ask("budget >= p.b", r#"{"b":1}"#, "name", Some(&cursor));
    assert_eq!(page(&ann, "rooms", again).await["items"].as_array().unwrap().len(), 1);
}
