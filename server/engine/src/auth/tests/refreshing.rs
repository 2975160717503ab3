//! Refresh tokens: cases (a), (b) and (c) of rotation that is confirmed on first use.

use super::app::App;
use crate::auth::rotation::{Generations, Sight, Step};
use std::collections::HashSet;
use stead_wire::Code;

#[test]
fn what_a_generation_means() {
    const AT: i64 = 1_000_000_000;
    let soon = AT + 10_000_000;
    let later = soon + 1;
    let state = |previous, current, pending| Generations { previous, current, pending, rotated_at: AT };
    let (first, waiting, confirmed) =
        (state(None, 0, None), state(Some(3), 4, Some(6)), state(Some(4), 6, None));
    for (generations, presented, now, expected) in [
        (first, 0, later, Some(1)),
        (first, 1, later, None),
        // (a) again within ten seconds, and (b) later; 5 was superseded by 6 already.
        (waiting, 4, soon, Some(6)),
        (waiting, 4, later, Some(7)),
        (waiting, 6, soon, Some(7)),
        (confirmed, 6, soon, Some(7)),
        (confirmed, 4, soon, Some(6)),
    ] {
        let next = match generations.refresh(presented, now) {
            Step::Repeat(next) | Step::Rotate(_, next) => Some(next),
            Step::Unknown => None,
            Step::Reused => panic!("{generations:?} {presented}"),
        };
        assert_eq!(next, expected, "{generations:?} {presented}");
    }
    // (c)
    for (generations, presented, now) in [
        (waiting, 5, soon),
        (waiting, 3, soon),
        (confirmed, 4, later),
        (confirmed, 5, soon),
        (confirmed, 0, soon),
    ] {
        assert_eq!(generations.refresh(presented, now), Step::Reused, "{generations:?} {presented}");
    }
    for (generations, presented, expected) in [
        (waiting, 4, Sight::Known),
        (waiting, 3, Sight::Known),
        (waiting, 6, Sight::Confirms),
        (waiting, 5, Sight::Reused),
        (waiting, 7, Sight::Unknown),
        (confirmed, 5, Sight::Reused),
        (confirmed, 4, Sight::Known),
        (confirmed, 7, Sight::Unknown),
        (first, 0, Sight::Known),
    ] {
        assert_eq!(generations.sight(presented), expected, "{generations:?} {presented}");
    }
}

#[tokio::test]
async fn a_refresh_gives_the_next_pair_and_the_old_access_token_lives_on() {
    let app = App::open().await;
    let first = app.sign_up("ana").await;
    app.events().await;
    app.pass(300.0);
    let second = app.refresh(&first.refresh_token).await.unwrap();
    assert_eq!((&second.session_id, &second.user), (&first.session_id, &first.user));
    assert_ne!(second.refresh_token, first.refresh_token);
    assert!(app.caller(&first.access_token).await.is_ok());
    assert!(app.caller(&second.access_token).await.is_ok());
    app.pass(300.0);
    assert_eq!(app.caller(&first.access_token).await.unwrap_err(), Code::TokenExpired);
    assert!(app.caller(&second.access_token).await.is_ok());
    assert_eq!(app.events().await, [""; 0]);
}

#[tokio::test]
async fn the_same_refresh_at_once_fifty_times_gives_one_successor() {
    let app = App::open().await;
    let first = app.sign_up("ana").await;
    let answers = futures_util::future::join_all((0..50).map(|_| app.refresh(&first.refresh_token))).await;
    let successors: HashSet<_> = answers.into_iter().map(|answer| answer.unwrap().refresh_token).collect();
    assert_eq!(successors.len(), 1);
    // A tab that wakes up nine seconds later, after another used the successor's access token.
    let successor = successors.into_iter().next().unwrap();
    app.pass(9.0);
    assert_eq!(app.refresh(&first.refresh_token).await.unwrap().refresh_token, successor);
    assert!(app.refresh(&successor).await.is_ok());
}

#[tokio::test]
async fn a_lost_answer_is_forgiven_while_its_successor_was_never_seen() {
    let app = App::open().await;
    let first = app.sign_up("ana").await;
    let lost = app.refresh(&first.refresh_token).await.unwrap();
    app.pass(3600.0);
    let second = app.refresh(&first.refresh_token).await.unwrap();
    assert_ne!(second.refresh_token, lost.refresh_token);
    assert!(app.caller(&second.access_token).await.is_ok());
    app.events().await;
    // The lost one turns up after all: two parties hold this session.
    assert_eq!(app.refresh(&lost.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
    assert_eq!(app.caller(&second.access_token).await.unwrap_err(), Code::TokenInvalid);
    assert_eq!(app.refresh(&second.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
    let user = first.user["id"].as_str().unwrap();
    assert_eq!(app.events().await, [format!("auth {user} {}", first.session_id)]);
}

#[tokio::test]
async fn a_superseded_access_token_ends_the_session_too() {
    let app = App::open().await;
    let first = app.sign_up("ana").await;
    let lost = app.refresh(&first.refresh_token).await.unwrap();
    app.pass(11.0);
    let second = app.refresh(&first.refresh_token).await.unwrap();
    assert!(app.caller(&first.access_token).await.is_ok());
    assert_eq!(app.caller(&lost.access_token).await.unwrap_err(), Code::TokenInvalid);
    assert_eq!(app.caller(&second.access_token).await.unwrap_err(), Code::TokenInvalid);
    assert_eq!(app.caller(&first.access_token).await.unwrap_err(), Code::TokenInvalid);
}

#[tokio::test]
async fn an_old_token_ends_the_session_once_an_access_token_confirmed_its_successor() {
    let app = App::open().await;
    let first = app.sign_up("ana").await;
    let second = app.refresh(&first.refresh_token).await.unwrap();
    assert!(app.caller(&second.access_token).await.is_ok());
    app.pass(11.0);
    assert_eq!(app.refresh(&first.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
    assert_eq!(app.caller(&second.access_token).await.unwrap_err(), Code::TokenInvalid);
}

#[tokio::test]
async fn a_thief_and_a_victim_who_alternate_are_noticed_at_the_second_refresh() {
    let app = App::open().await;
    let shared = app.sign_up("ana").await.refresh_token;
    let thief = app.refresh(&shared).await.unwrap();
    app.pass(60.0);
    let victim = app.refresh(&shared).await.unwrap();
    app.pass(600.0);
    assert_eq!(app.refresh(&thief.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
    assert_eq!(app.refresh(&victim.refresh_token).await.unwrap_err().code, Code::TokenInvalid);
}

#[tokio::test]
async fn a_session_ends_when_idle_and_in_any_case() {
    const DAY: f64 = 86_400.0;
    let app = App::open().await;
    let idle = app.sign_up("ana").await;
    app.pass(30.0 * DAY);
    assert_eq!(app.refresh(&idle.refresh_token).await.unwrap_err().code, Code::TokenExpired);
    let mut busy = app.sign_in("ana").await;
    for _ in 0..6 {
        app.pass(29.0 * DAY);
        busy = app.refresh(&busy.refresh_token).await.unwrap();
    }
    app.pass(7.0 * DAY);
    assert_eq!(app.refresh(&busy.refresh_token).await.unwrap_err().code, Code::TokenExpired);
}

#[tokio::test]
async fn a_refresh_token_is_ours_whole_or_not_at_all() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let bob = app.sign_up("bob").await;
    let bytes = BASE64.decode(ana.refresh_token.strip_prefix("rt1.").unwrap()).unwrap();
    let with = |at: usize, change: u8| {
        let mut bytes = bytes.clone();
        bytes[at] ^= change;
        format!("rt1.{}", BASE64.encode(bytes))
    };
    let last = bytes.len() - 1;
    let mut stranger = bytes.clone();
    stranger[..36].copy_from_slice(bob.session_id.as_bytes());
    let cases = [
        String::new(),
        "rt1.".to_owned(),
        ana.access_token.clone(),
        ana.refresh_token.replace("rt1", "rt2"),
        format!("{}A", ana.refresh_token),
        "rt1.".to_owned() + &"A".repeat(5000),
        with(0, 1),
        with(39, 1),
        with(last, 1),
        format!("rt1.{}", BASE64.encode(stranger)),
    ];
    for token in cases {
        assert_eq!(app.refresh(&token).await.unwrap_err().code, Code::TokenInvalid, "{token}");
    }
    assert!(app.refresh(&ana.refresh_token).await.is_ok());
    assert!(app.refresh(&bob.refresh_token).await.is_ok());
}
