//! Who is hashed next: a bounded queue that no part of the network can fill for the others.
//!
//! A state machine without threads or time. Two lanes share the threads by turns: one for devices that proved that they
//! knew the password before and for users who are signed in, one for everybody else, so that a storm from anywhere leaves the first one free. In each
//! lane the parts of the network take turns, and an account waits once.

use crate::limits;
use std::collections::{HashSet, VecDeque};

/// For whom a hash is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    /// The part of the network that asks.
    pub(super) network: String,
    /// The account, as far as the asker names one.
    pub(super) account: String,
    /// Whether the device has proved that it knew the account's password, or the user is signed in.
    pub(super) known_device: bool,
}

impl Seat {
    /// For the server's own doing: seeds, the command line.
    pub(crate) fn server() -> Self {
        Self { network: "server".to_owned(), account: String::new(), known_device: false }
    }
}

/// There is no room for this one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Jobs that wait.
#[derive(Debug)]
pub(super) struct Turns<T> {
    strangers: Lane<T>,
    known: Lane<T>,
    /// Whose turn it is when both lanes have jobs.
    known_next: bool,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            strangers: Lane::new(limits::HASH_QUEUE_MAX, limits::HASH_QUEUE_PER_NETWORK_MAX),
            // Behind one address there may be a whole office; each account of it still waits once.
            known: Lane::new(limits::HASH_QUEUE_KNOWN_MAX, limits::HASH_QUEUE_KNOWN_MAX),
            known_next: true,
        }
    }
}

impl<T> Turns<T> {
    /// Lets a job wait.
    ///
    /// # Errors
    /// [`Full`] when the lane is, when the network's part of it is, or when the account waits already.
    pub(super) fn push(&mut self, seat: Seat, job: T) -> Result<(), Full> {
        if seat.known_device { self.known.push(seat, job) } else { self.strangers.push(seat, job) }
    }

    /// How many of strangers wait.
    pub(super) fn strangers(&self) -> usize {
        self.strangers.accounts.len()
    }

    /// The job whose turn it is.
    pub(super) fn next(&mut self) -> Option<T> {
        let (first, second) = if self.known_next {
            (&mut self.known, &mut self.strangers)
        } else {
            (&mut self.strangers, &mut self.known)
        };
        self.known_next = !self.known_next;
        first.next().or_else(|| second.next())
    }
}

#[derive(Debug)]
struct Lane<T> {
    jobs_max: usize,
    per_network_max: usize,
    /// None of them is empty; the first one's turn is next.
    networks: VecDeque<Network<T>>,
    /// Each has one job.
    accounts: HashSet<String>,
}

#[derive(Debug)]
struct Network<T> {
    name: String,
    jobs: VecDeque<(String, T)>,
}

impl<T> Lane<T> {
    fn new(jobs_max: usize, per_network_max: usize) -> Self {
        Self { jobs_max, per_network_max, networks: VecDeque::new(), accounts: HashSet::new() }
    }

    fn push(&mut self, seat: Seat, job: T) -> Result<(), Full> {
        let Seat { network, account, .. } = seat;
        if self.accounts.len() >= self.jobs_max || self.accounts.contains(&account) {
            return Err(Full);
        }
        match self.networks.iter_mut().find(|other| other.name == network) {
            Some(own) if own.jobs.len() >= self.per_network_max => return Err(Full),
            Some(own) => own.jobs.push_back((account.clone(), job)),
            None => {
                let jobs = VecDeque::from([(account.clone(), job)]);
                self.networks.push_back(Network { name: network, jobs });
            }
        }
        self.accounts.insert(account);
        Ok(())
    }

    fn next(&mut self) -> Option<T> {
        let mut network = self.networks.pop_front()?;
        let (account, job) = network.jobs.pop_front()?;
        self.accounts.remove(&account);
        if !network.jobs.is_empty() {
            self.networks.push_back(network);
        }
        Some(job)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seat(network: usize, account: usize, known_device: bool) -> Seat {
        Seat { network: network.to_string(), account: account.to_string(), known_device }
    }

    fn drained<T>(turns: &mut Turns<T>) -> Vec<T> {
        std::iter::from_fn(|| turns.next()).collect()
    }

    #[test]
    fn networks_take_turns_whoever_came_first() {
        let mut turns = Turns::default();
        for (network, account) in [(1, 1), (1, 2), (2, 3), (3, 4), (3, 5)] {
            turns.push(seat(network, account, false), (network, account)).unwrap();
        }
        assert_eq!(drained(&mut turns), [(1, 1), (2, 3), (3, 4), (1, 2), (3, 5)]);
    }

    #[test]
    fn a_network_has_its_part_and_an_account_one_place() {
        let mut turns = Turns::default();
        for account in 0..limits::HASH_QUEUE_PER_NETWORK_MAX {
            turns.push(seat(1, account, false), ()).unwrap();
        }
        assert_eq!(turns.push(seat(1, 99, false), ()), Err(Full), "the network has its part");
        assert_eq!(turns.push(seat(2, 0, false), ()), Err(Full), "the account waits already");
        assert_eq!(turns.push(seat(2, 99, false), ()), Ok(()), "control: another network and account");
        turns.next().unwrap();
        assert_eq!(turns.push(seat(1, 0, false), ()), Ok(()), "who was taken makes room");
    }

    #[test]
    fn at_68_a_full_lane_of_strangers_leaves_known_devices_every_second_turn() {
        let mut turns = Turns::default();
        for number in 0..limits::HASH_QUEUE_MAX {
            turns.push(seat(number, number, false), false).unwrap();
        }
        assert_eq!(turns.push(seat(9999, 9999, false), false), Err(Full));
        // The accounts that the storm names are those of the known devices.
        for number in 0..4 {
            turns.push(seat(0, number, true), true).unwrap();
        }
        let order = drained(&mut turns);
        assert_eq!(order[..8], [true, false, true, false, true, false, true, false]);
        assert_eq!(order.len(), limits::HASH_QUEUE_MAX + 4);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push { network: usize, account: usize, known: bool },
        Next,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..20_usize, 0..60_usize, any::<bool>())
                .prop_map(|(network, account, known)| Step::Push { network, account, known }),
            1 => Just(Step::Next),
        ]
    }

    /// What must wait after the steps so far, in the order of arrival: the rules said once more, in the plainest way.
    #[derive(Default)]
    struct Model(Vec<(usize, usize, bool)>);

    impl Model {
        fn takes(&self, network: usize, account: usize, known: bool) -> bool {
            let lane = || self.0.iter().filter(|job| job.2 == known);
            let most = if known { limits::HASH_QUEUE_KNOWN_MAX } else { limits::HASH_QUEUE_MAX };
            let of_network = lane().filter(|job| job.0 == network).count();
            lane().count() < most
                && lane().all(|job| job.1 != account)
                && (known || of_network < limits::HASH_QUEUE_PER_NETWORK_MAX)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn whatever_comes_bounds_hold_and_nobody_is_lost_or_overtaken_twice(steps in prop::collection::vec(step(), 1..300)) {
            let (mut turns, mut model) = (Turns::default(), Model::default());
            for step in steps {
                match step {
                    Step::Push { network, account, known } => {
                        let taken = turns.push(seat(network, account, known), (network, account, known)).is_ok();
                        prop_assert_eq!(taken, model.takes(network, account, known));
                        if taken { model.0.push((network, account, known)); }
                    }
                    Step::Next => {
                        let job = turns.next();
                        prop_assert_eq!(job.is_none(), model.0.is_empty());
                        let Some(job) = job else { continue };
                        let place = model.0.iter().position(|waiting| *waiting == job);
                        prop_assert!(place.is_some(), "a job that does not wait");
                        // Within a network and lane, who came first goes first.
                        let first = model.0.iter().position(|w| (w.0, w.2) == (job.0, job.2));
                        prop_assert_eq!(place, first);
                        model.0.remove(place.unwrap());
                    }
                }
            }
            // No network gets a second turn before each that waits has had one, and no lane either.
            let rest = drained(&mut turns);
            prop_assert_eq!(rest.len(), model.0.len());
            for known in [true, false] {
                let lane: Vec<usize> = rest.iter().filter(|job| job.2 == known).map(|job| job.0).collect();
                let distinct: HashSet<usize> = lane.iter().copied().collect();
                let first_round: HashSet<usize> = lane[..distinct.len()].iter().copied().collect();
                prop_assert_eq!(first_round, distinct);
            }
            let both = rest.iter().filter(|job| job.2).count().min(rest.iter().filter(|job| !job.2).count());
            for pair in rest[..2 * both].chunks(2) {
                prop_assert!(pair[0].2 != pair[1].2, "a lane had two turns while the other waited");
            }
        }
    }
}
