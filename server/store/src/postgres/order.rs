//! The order of the log: each change gets its position after its commit, from whoever asks first.
//!
//! A number from a sequence is no position: a transaction may take number 7, and one that took number 8 may commit and be
//! read before it. A reader that goes on "after 8" then never sees 7. So a position is given only to changes that can be
//! seen, by one transaction at a time, and readers follow positions.
//!
//! Why positions keep causes before effects: within one giving, changes get them in the order of their numbers. A change
//! takes its number when its record is already written and held (`writing`). If change B came about with knowledge of
//! change A, or on the same record, then A was committed before B took its number, so A's number is smaller; and whoever
//! sees B sees A too. So A is before B, in the same giving or in an earlier one.
//!
//! No commit waits for another, and a transaction that lasts holds up nothing but its own changes. Numbers between those
//! seen are remembered as gaps and looked for again. A gap is forgotten when every transaction that ran when it was first
//! noticed has ended: who takes a number has a transaction id before (`writing` sees to that), so its owner is among them.
//! They are those whose ids are below the giver's own, which it takes after its snapshot. (The `xmax` of that
//! snapshot would not do: it is one past the last id that *ended*, and owners of gaps may be above it.)
//!
//! The giver's snapshot holds exactly what has a position afterwards. A read in the same transaction therefore belongs to
//! the newest position, exactly.

use crate::Error;
use crate::postgres::cells::{self, Params};
use crate::postgres::eras;
use crate::postgres::errors::from_sqlx;
use crate::postgres::pool::Link;
use crate::postgres::statement::{self, Opening};

/// Tables of the log. `_log` has one row; `_turn` has none and is only locked.
pub(crate) const TABLES: &str = r#"
CREATE TABLE IF NOT EXISTS _changes(
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, collection text COLLATE "C", record_id text COLLATE "C",
  kind bigint NOT NULL, version bigint, before text, after text, actor text, at bigint NOT NULL, beyond text);
CREATE TABLE IF NOT EXISTS _order(position bigint PRIMARY KEY, seq bigint NOT NULL);
CREATE TABLE IF NOT EXISTS _log(
  one boolean PRIMARY KEY DEFAULT true CHECK (one), position bigint NOT NULL, seq bigint NOT NULL,
  gaps bigint[] NOT NULL, marked bigint[] NOT NULL, mark bigint NOT NULL) WITH (fillfactor = 50);
INSERT INTO _log(position,seq,gaps,marked,mark) VALUES(0,0,'{}','{}',0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS _turn(one boolean);"#;

/// Waits for the turn, then takes a snapshot: `LOCK` itself needs none.
pub(crate) const TAKE_TURN: Opening = Opening {
    mode: "ISOLATION LEVEL REPEATABLE READ, READ WRITE",
    then: "LOCK TABLE _turn IN EXCLUSIVE MODE",
};

/// The place in the numbers, and those that can be seen now and could not before.
fn read_text() -> String {
    format!(
        "SELECT l.position,l.seq,l.gaps,l.marked,l.mark,pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
  ARRAY(SELECT c.seq FROM _changes c WHERE c.seq=ANY(l.gaps)),
  ARRAY(SELECT c.seq FROM _changes c WHERE c.seq>l.seq ORDER BY c.seq LIMIT {BATCH}),{} FROM _log l",
        eras::columns()
    )
}

const GIVE: &str = "WITH given AS (
    INSERT INTO _order(position,seq) SELECT $1+ord,seq FROM unnest($2) WITH ORDINALITY u(seq,ord))
  UPDATE _log SET position=$3,seq=$4,gaps=$5,marked=$6,mark=coalesce($7,pg_current_xact_id()::text::bigint)";
const NEWEST: &str = "SELECT position FROM _log";

/// Most changes that get their position in one statement.
const BATCH: usize = 5_000;

/// What is known of the numbers so far.
#[derive(Debug, Clone, Default, PartialEq)]
struct Known {
    /// The last position given.
    position: i64,
    /// The highest number seen.
    seq: i64,
    /// Numbers below it that were not seen yet, ascending.
    gaps: Vec<i64>,
    /// Those of them that are given up once all transactions below `mark` have ended.
    marked: Vec<i64>,
    /// `None` is the transaction at hand, which is above all that ran at its snapshot.
    mark: Option<i64>,
}

impl Known {
    /// Takes in what one snapshot shows of the numbers that were unseen. `seen` is ascending; transactions below `xmin`
    /// have ended.
    fn advance(&mut self, seen: &[i64], xmin: i64) {
        self.gaps.retain(|gap| seen.binary_search(gap).is_err());
        let known = self.seq;
        for &seq in seen.iter().filter(|seq| **seq > known) {
            self.gaps.extend(self.seq + 1..seq);
            self.seq = seq;
        }
        self.position += i64::try_from(seen.len()).unwrap_or(0);
        if self.mark.is_some_and(|mark| xmin >= mark) {
            let given_up = std::mem::take(&mut self.marked);
            self.gaps.retain(|gap| given_up.binary_search(gap).is_err());
            self.marked.clone_from(&self.gaps);
            self.mark = None;
        }
    }
}

/// What a giving did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    /// How many changes got a position.
    pub(crate) count: usize,
    /// The newest position.
    pub(crate) newest: u64,
    /// The era it belongs to; none when that has just begun, or none ever did.
    pub(crate) era: Option<u32>,
}

/// Gives positions to all changes that this transaction sees, which must have begun with [`TAKE_TURN`].
///
/// # Errors
/// When the database refuses.
pub(crate) async fn give(link: &mut Link) -> Result<Given, Error> {
    let mut count = 0;
    loop {
        let Found { mut known, xmin, era, seen, more } = read(link).await?;
        if era.is_none() {
            eras::begin(link, known.position).await?;
        }
        let before = known.clone();
        known.advance(&seen, xmin);
        count += seen.len();
        // Gaps to give up are no reason to write, while nothing happens.
        if !seen.is_empty() || known.gaps != before.gaps {
            keep(link, before.position, seen, &known).await?;
        }
        if !more {
            return Ok(Given { count, newest: positive(known.position), era });
        }
    }
}

/// What a look at the numbers tells.
struct Found {
    known: Known,
    /// The oldest transaction that runs.
    xmin: i64,
    /// The newest era, if it goes on.
    era: Option<u32>,
    /// Numbers that can be seen now and could not before, ascending.
    seen: Vec<i64>,
    /// Whether there are more.
    more: bool,
}

async fn read(link: &mut Link) -> Result<Found, Error> {
    let rows = statement::rows(link, read_text(), Params::default()).await.map_err(from_sqlx)?;
    let missing = || Error::Database("the log has lost its place".into());
    let row = rows.first().ok_or_else(missing)?;
    let number = |at| cells::get::<i64>(row, at)?.ok_or_else(missing);
    let numbers = |at| cells::get::<Vec<i64>>(row, at)?.ok_or_else(missing);
    let known = Known {
        position: number(0)?,
        seq: number(1)?,
        gaps: numbers(2)?,
        marked: numbers(3)?,
        mark: Some(number(4)?),
    };
    let (mut seen, new) = (numbers(6)?, numbers(7)?);
    let more = new.len() == BATCH;
    seen.sort_unstable();
    seen.extend(new);
    let era = if cells::get::<bool>(row, 8)? == Some(true) { cells::get::<i64>(row, 9)? } else { None };
    Ok(Found { known, xmin: number(5)?, era: era.and_then(|era| u32::try_from(era).ok()), seen, more })
}

/// Gives positions after `before` to numbers, and remembers what is known then.
async fn keep(link: &mut Link, before: i64, seen: Vec<i64>, known: &Known) -> Result<(), Error> {
    let mut params = Params::default();
    params.add(before)?;
    params.add(seen)?;
    params.add(known.position)?;
    params.add(known.seq)?;
    params.add(known.gaps.clone())?;
    params.add(known.marked.clone())?;
    params.add(known.mark)?;
    statement::run(link, GIVE.to_owned(), params).await.map(|_| ()).map_err(from_sqlx)
}

/// The last position given.
///
/// # Errors
/// When the database refuses.
pub(crate) async fn newest(link: &mut Link) -> Result<u64, Error> {
    Ok(statement::integer(link, NEWEST.to_owned(), Params::default()).await?.map_or(0, positive))
}

fn positive(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::postgres::made;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Transactions as a database sees them: ids are given in order, numbers in the order they are asked for, and both
    /// are kept whether or not the transaction commits.
    #[derive(Default)]
    struct World {
        next_id: i64,
        next_number: i64,
        open: Vec<(i64, Vec<i64>)>,
        visible: BTreeSet<i64>,
        ended: usize,
    }

    impl World {
        fn step(&mut self, choice: u8) {
            let which = usize::from(choice / 4) % self.open.len().max(1);
            match (choice % 4, self.open.is_empty()) {
                (0, _) | (_, true) => {
                    self.open.push((self.next_id, Vec::new()));
                    self.next_id += 1;
                }
                (1, _) => {
                    self.next_number += 1;
                    self.open[which].1.push(self.next_number);
                }
                (2, _) => {
                    let (_, numbers) = self.open.swap_remove(which);
                    self.visible.extend(numbers);
                }
                _ => {
                    self.open.swap_remove(which);
                    self.ended += 1;
                }
            }
        }

        fn xmin(&self) -> i64 {
            self.open.iter().map(|(id, _)| *id).min().unwrap_or(self.next_id)
        }
    }

    /// The giver takes its own id after its snapshot, and ends at once.
    fn give(world: &mut World, known: &mut Known) -> Vec<i64> {
        let unseen = |seq: &&i64| **seq > known.seq || known.gaps.contains(seq);
        let seen: Vec<i64> = world.visible.iter().filter(unseen).copied().collect();
        known.advance(&seen, world.xmin());
        known.mark.get_or_insert(world.next_id);
        world.next_id += 1;
        seen
    }

    proptest! {
        #[test]
        fn every_committed_change_gets_one_position_and_no_gap_is_kept_for_ever(
            steps in proptest::collection::vec((any::<u8>(), any::<bool>()), 0..200),
        ) {
            let (mut world, mut given) = (World::default(), Vec::new());
            let mut known = Known { mark: Some(0), ..Known::default() };
            for (choice, gives) in steps {
                world.step(choice);
                if gives {
                    given.extend(give(&mut world, &mut known));
                }
            }
            let open = std::mem::take(&mut world.open);
            world.visible.extend(open.into_iter().flat_map(|(_, numbers)| numbers));
            // Twice more: what ended since the last mark is then given up.
            for _ in 0..3 {
                given.extend(give(&mut world, &mut known));
            }
            prop_assert_eq!(given.len(), world.visible.len());
            prop_assert_eq!(given.iter().copied().collect::<BTreeSet<_>>(), world.visible);
            prop_assert_eq!(known.position, i64::try_from(given.len()).unwrap());
            prop_assert!(known.gaps.is_empty(), "{:?}", known);
        }
    }

    /// Gives in a transaction of its own; how many changes got a position.
    async fn given(link: &mut Link) -> usize {
        statement::begin(link, TAKE_TURN).await.unwrap();
        let given = super::give(link).await.unwrap();
        statement::end(link, "COMMIT").await.unwrap();
        given.count
    }

    #[tokio::test]
    async fn more_changes_than_fit_in_one_statement_get_their_positions_in_one_turn() {
        let Some([mut giver]) = made::links("stead_batch").await else { return };
        let lines =
            format!("INSERT INTO _changes(kind,at) SELECT 6,0 FROM generate_series(1,{})", 2 * BATCH + 7);
        let made = format!("BEGIN READ WRITE; {TABLES}; {}; {lines}; COMMIT", eras::TABLES);
        statement::command(&mut giver, made).await.unwrap();
        assert_eq!(given(&mut giver).await, 2 * BATCH + 7);
        let unlike = "SELECT count(*) FROM _order WHERE position<>seq".to_owned();
        assert_eq!(statement::integer(&mut giver, unlike, Params::default()).await.unwrap(), Some(0));
        assert_eq!(newest(&mut giver).await.unwrap(), 2 * BATCH as u64 + 7);
        assert_eq!(given(&mut giver).await, 0, "none gets two");
    }

    #[tokio::test]
    async fn a_change_whose_transaction_outlives_older_and_newer_ones_gets_its_position() {
        const BEGIN: &str = "BEGIN READ WRITE; SELECT pg_current_xact_id()";
        const CHANGE: &str = "INSERT INTO _changes(kind,at) VALUES(6,0)";
        let Some([mut giver, mut older, mut late]) = made::links("stead_order").await else { return };
        statement::command(&mut giver, format!("BEGIN READ WRITE; {TABLES}; {}; COMMIT", eras::TABLES))
            .await
            .unwrap();
        statement::command(&mut older, BEGIN).await.unwrap();
        statement::command(&mut late, BEGIN).await.unwrap();
        statement::command(&mut late, CHANGE).await.unwrap();
        statement::command(&mut older, format!("{CHANGE}; COMMIT")).await.unwrap();
        assert_eq!(given(&mut giver).await, 1, "the other one is a gap");
        for _ in 0..3 {
            assert_eq!(given(&mut giver).await, 0);
            statement::command(&mut older, format!("{BEGIN}; {CHANGE}; ROLLBACK")).await.unwrap();
        }
        statement::command(&mut late, "COMMIT").await.unwrap();
        assert_eq!(given(&mut giver).await, 1, "it was not given up while it ran");
    }
}
