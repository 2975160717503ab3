//! Which history a position of the log belongs to.
//!
//! A database may lose its newest changes: a backup is restored, a standby takes over, a crash takes back what was not
//! forced to the disk. The same positions are then given again, to other changes. Whoever goes on from a position must
//! know that it still names what it named. So a new *era* begins wherever changes may have been lost, with an id that was
//! never used, and a position counts together with the era that it was given in.

/// The eras of a log, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Eras(Vec<(u64, u32)>);

impl Eras {
    /// Of each the position after which it began, and its id.
    pub fn new(mut eras: Vec<(u64, u32)>) -> Self {
        eras.sort_unstable_by_key(|(after, _)| *after);
        Self(eras)
    }

    /// The id of the era in which a position was given; 0 before all that are known.
    pub fn at(&self, position: u64) -> u32 {
        self.0.iter().rev().find(|(after, _)| *after < position).map_or(0, |(_, id)| *id)
    }

    /// Whether a reader that stands at `position` by these eras may go on by `now`: nothing it has read was lost.
    pub fn lead_to(&self, now: &Self, position: u64) -> bool {
        self.at(position) == now.at(position)
    }

    /// The id of the newest.
    pub(crate) fn newest(&self) -> u32 {
        self.0.last().map_or(0, |(_, id)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_belongs_to_the_era_that_began_before_it() {
        let eras = Eras::new(vec![(10, 7), (0, 3), (25, 9)]);
        for (position, id) in [(0, 0), (1, 3), (10, 3), (11, 7), (25, 7), (26, 9), (u64::MAX, 9)] {
            assert_eq!(eras.at(position), id, "{position}");
        }
        assert_eq!(Eras::default().at(5), 0);
    }

    #[test]
    fn a_reader_goes_on_unless_what_it_read_was_lost() {
        let before = Eras::new(vec![(0, 3)]);
        let after = Eras::new(vec![(0, 3), (10, 7)]);
        for (position, goes_on) in [(0, true), (10, true), (11, false), (99, false)] {
            assert_eq!(before.lead_to(&after, position), goes_on, "{position}");
        }
        assert!(after.lead_to(&after, 99));
    }
}
