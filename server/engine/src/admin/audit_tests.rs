//! The audit trail under attack: by whoever has the database, but not the secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::audit::{Found, note, tend, verify};
use super::*;
use crate::auth::tests::app::{App, places};
use futures_util::future::join_all;
use stead_store::{Place, Sql};

/// A trail of so many rows, all of them chained.
async fn trail(place: &Place, rows: i64) -> App {
    let app = App::open_at(place.clone()).await;
    write(&app, 0..rows).await;
    assert_eq!(found(&app).await.bad, None);
    app
}

async fn write(app: &App, numbers: std::ops::Range<i64>) {
    for n in numbers {
        let job = async move |tx: &mut Tx<'_>| note(tx, "ana", "test.act", &format!("things/{n}"), n).await;
        app.project.store().write(job).await.unwrap();
    }
}

async fn found(app: &App) -> Found {
    verify(&app.project, None).await.unwrap()
}

/// Runs statements as somebody does who has the database.
async fn meddle(app: &App, statements: &[&'static str]) {
    for statement in statements {
        let sql = Sql::new(statement);
        let job = async move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(&sql, &[]).await?);
        app.project.store().write(job).await.unwrap();
    }
}

/// What a verification says after the trail of ten rows was meddled with: where and what.
async fn after(name: &str, statements: &[&'static str]) -> Vec<(Option<i64>, &'static str)> {
    let mut said = Vec::new();
    for place in places(name) {
        let app = trail(&place, 10).await;
        let known = found(&app).await.head;
        meddle(&app, statements).await;
        let bad = found(&app).await.bad.unwrap_or_else(|| panic!("{place:?}: nothing was noticed"));
        // Neither is it forgotten when more is written, nor does that fail.
        write(&app, 10..12).await;
        assert_eq!(found(&app).await.bad.map(|bad| bad.position), Some(bad.position));
        let against = verify(&app.project, Some(known_head(&known).unwrap())).await.unwrap();
        assert!(against.bad.is_some());
        said.push((bad.position, bad.problem));
        app.project.close().await;
    }
    said
}

fn all_are(said: &[(Option<i64>, &'static str)], position: Option<i64>, problem: &str) {
    assert!(!said.is_empty());
    for one in said {
        assert_eq!(*one, (position, problem));
    }
}

#[tokio::test]
async fn at_74_a_row_that_is_edited_is_named() {
    let said = after("stead_audit_edit", &["UPDATE _audit SET actor = 'bob' WHERE position = 4"]).await;
    all_are(&said, Some(4), "the row was changed, or written by somebody else");
    // With the proof of another row it says what that one says no more.
    let steal = "UPDATE _audit SET proof = 'AAAA' || proof WHERE position = 7";
    all_are(
        &after("stead_audit_steal", &[steal]).await,
        Some(7),
        "the row was changed, or written by somebody else",
    );
}

#[tokio::test]
async fn at_74_a_row_that_is_deleted_is_missed() {
    let said = after("stead_audit_delete", &["DELETE FROM _audit WHERE position = 4"]).await;
    all_are(&said, Some(4), "a row is missing");
    let closed = [
        "DELETE FROM _audit WHERE position = 4",
        "UPDATE _audit SET position = position - 100 WHERE position > 4",
        "UPDATE _audit SET position = position + 99 WHERE position < 0",
    ];
    all_are(&after("stead_audit_closed", &closed).await, Some(4), "the row is not where it was written");
}

#[tokio::test]
async fn at_74_a_row_that_is_inserted_is_named() {
    let forged =
        "INSERT INTO _audit (at, actor, action, target, proof) VALUES (5, 'bob', 'test.act', 'x', 'AAAA')";
    all_are(
        &after("stead_audit_forged", &[forged]).await,
        Some(11),
        "the row was changed, or written by somebody else",
    );
    let older = "INSERT INTO _audit (at, actor, action, target) VALUES (5, 'bob', 'test.act', 'x')";
    all_are(
        &after("stead_audit_older", &[older]).await,
        Some(11),
        "the row was changed, or written by somebody else",
    );
    let placed = "INSERT INTO _audit (at, actor, action, target, position, hash) VALUES (5, 'bob', 'a', 'x', 99, '00')";
    all_are(
        &after("stead_audit_placed", &[placed]).await,
        Some(99),
        "the row has a place that the chain does not have",
    );
}

#[tokio::test]
async fn at_74_rows_that_are_cut_off_are_missed() {
    let said = after("stead_audit_cut", &["DELETE FROM _audit WHERE position > 7"]).await;
    all_are(&said, Some(8), "the trail was cut off: a row is missing");
    // Moving the head there does not help without the secret.
    let moved = [
        "DELETE FROM _audit WHERE position > 7",
        "UPDATE _audit_head SET position = 7, hash = (SELECT hash FROM _audit WHERE position = 7)",
    ];
    all_are(&after("stead_audit_moved", &moved).await, Some(7), "the head of the chain was changed");
    let begun = ["DELETE FROM _audit", "UPDATE _audit_head SET position = 1, hash = '', proof = NULL"];
    all_are(&after("stead_audit_begun", &begun).await, Some(1), "the trail was cut off: a row is missing");
    all_are(
        &after("stead_audit_gone", &["DELETE FROM _audit_head"]).await,
        Some(1),
        "the head of the chain is gone",
    );
}

#[tokio::test]
async fn at_74_rows_that_change_places_are_noticed() {
    let swapped = [
        "UPDATE _audit SET position = -3 WHERE position = 3",
        "UPDATE _audit SET position = 3 WHERE position = 5",
        "UPDATE _audit SET position = 5 WHERE position = -3",
    ];
    all_are(&after("stead_audit_swapped", &swapped).await, Some(3), "the row is not where it was written");
}

#[tokio::test]
async fn at_74_a_trail_that_is_put_back_as_a_whole_is_told_by_a_head_that_was_kept() {
    for place in places("stead_audit_back") {
        let app = trail(&place, 5).await;
        meddle(&app, &["CREATE TABLE kept AS SELECT * FROM _audit_head"]).await;
        write(&app, 5..8).await;
        let known = known_head(&found(&app).await.head).unwrap();
        // Control: the trail goes through what is known of it, also when more follows.
        write(&app, 8..9).await;
        assert_eq!(verify(&app.project, Some(known.clone())).await.unwrap().bad, None);
        let back = [
            "DELETE FROM _audit WHERE position > 5",
            "DELETE FROM _audit_head",
            "INSERT INTO _audit_head SELECT * FROM kept",
        ];
        meddle(&app, &back).await;
        assert_eq!(found(&app).await.bad, None, "nothing in the database tells");
        let bad = verify(&app.project, Some(known.clone())).await.unwrap().bad.unwrap();
        assert_eq!((bad.position, bad.problem), (Some(8), "the trail ends before the head that was known"));
        write(&app, 20..24).await;
        let bad = verify(&app.project, Some(known)).await.unwrap().bad.unwrap();
        assert_eq!((bad.position, bad.problem), (Some(8), "another row was here at the known head"));
        app.project.close().await;
    }
}

#[tokio::test]
async fn many_servers_that_write_and_chain_at_once_make_one_chain() {
    for place in places("stead_audit_race") {
        let one = App::open_at(place.clone()).await;
        let two = match &place {
            Place::Postgres(_) => Some(one.beside(place.clone()).await),
            _ => None,
        };
        let server = |n: i64| if n % 2 == 0 { &one } else { two.as_ref().unwrap_or(&one) };
        let work = |n: i64| async move {
            write(server(n), n * 10..n * 10 + 10).await;
            tend(&server(n).project, &mut Default::default()).await.unwrap();
            assert_eq!(found(server(n)).await.bad, None);
        };
        join_all((0..20).map(work)).await;
        let found = found(&one).await;
        assert_eq!((found.rows, found.bad), (200, None));
        // Each writer's rows are in the order they were written in.
        let order = "SELECT count(*) FROM _audit a JOIN _audit b ON b.at = a.at + 1 AND b.at % 10 <> 0 WHERE b.position < a.position";
        assert_eq!(one.count(order).await, 0);
        one.project.close().await;
    }
}

#[tokio::test]
async fn a_job_that_is_refused_leaves_no_row_in_the_chain() {
    for place in places("stead_audit_refused") {
        let app = trail(&place, 3).await;
        let job = async move |tx: &mut Tx<'_>| {
            note(tx, "ana", "test.act", "never", 0).await?;
            Err::<(), _>(Error::new(Code::Forbidden))
        };
        assert!(app.project.store().write(job).await.is_err());
        write(&app, 3..4).await;
        let found = found(&app).await;
        assert_eq!((found.rows, found.bad), (4, None));
        app.project.close().await;
    }
}

#[tokio::test]
async fn a_server_with_another_secret_takes_no_part() {
    let app = trail(&Place::Memory, 3).await;
    let stranger = App::open().await;
    let stamp = stranger.project.auth().audit_stamp();
    let proof = stamp.make(b"stead audit row 1").unwrap();
    assert!(stamp.fits(b"stead audit row 1", &proof));
    assert!(!stamp.fits(b"another", &proof));
    assert!(!app.project.auth().audit_stamp().fits(b"stead audit row 1", &proof));
    assert!(!stamp.fits(b"stead audit row 1", "") && !stamp.fits(b"stead audit row 1", "no base64!"));
}

#[tokio::test]
async fn acts_of_users_are_noted_and_chained() {
    let app = App::open().await;
    let ana = app.sign_up("ana").await;
    let cx = app.as_user(&ana.access_token).await;
    auth::sign_out(&cx, stead_wire::auth::SignOutScope::This).await.unwrap();
    let sql = Sql::new("SELECT actor || ' ' || action || ' ' || target FROM _audit ORDER BY position");
    let rows = app.project.store().read(async |r| Ok::<_, Error>(r.fetch(&sql, &[]).await?)).await.unwrap();
    let rows: Vec<&str> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    let (user, session) = (ana.user["id"].as_str().unwrap(), &ana.session_id);
    assert_eq!(
        rows,
        [
            format!("{user} users.sign_up users/{user}"),
            format!("{user} users.sign_in sessions/{session}"),
            format!("{user} sessions.signed_out sessions/{session}"),
        ]
    );
    assert_eq!(found(&app).await.rows, 3);
}
