//! The oracle is no rubber stamp: beside servers that nothing befell, what is broken on purpose is reported, and only that.

use crate::oracle::{Record, Violation};
use crate::subscriber::Flaw;
use crate::world::{NEVER_SILENT, World};

/// Observers that are there in every world.
const SOUND: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_observers_a_spy_and_a_promise_that_nobody_kept_are_reported() {
    let Some(mut world) = World::new(NEVER_SILENT).await else { return };
    for flaw in [Flaw::DropsAnEvent, Flaw::AppliesAnEventTwice, Flaw::KeepsWhatWasDeleted] {
        world.broken_observer(flaw);
    }
    world.spy();
    world.writes(60).await;
    world.change_access();
    world.writes(100).await;
    let tag = "a note that was never made".to_owned();
    let promise =
        Record { tag, owner: None, in_room: false, version: 1, count: 0, deleted: false, after_loss: None };
    world.load.ledger.lock().unwrap().created("never-made", promise);
    let verdict = world.verdict().await;
    let lost = Violation::LostWrite { id: "never-made".to_owned(), promised: 1, stored: None };
    assert_eq!(verdict.of_all, [lost]);
    let (sound, broken) = verdict.of_each.split_at(SOUND);
    assert!(sound.iter().all(Vec::is_empty), "{sound:?}");
    let [drops, twice, keeps, spy] = broken else { panic!("four are broken") };
    let has =
        |found: &[Violation], kind: fn(&Violation) -> bool| assert!(found.iter().any(kind), "{found:?}");
    has(drops, |v| matches!(v, Violation::Skipped { .. } | Violation::Differs { .. }));
    has(twice, |v| matches!(v, Violation::Repeated { .. }));
    has(keeps, |v| matches!(v, Violation::Kept { .. }));
    has(spy, |v| matches!(v, Violation::Leak { .. }));
}
