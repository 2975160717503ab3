//! Proofs inside the database that this server wrote something. Who makes them is told to the store once; what they are made
//! with is nowhere in it.

use crate::{Error, Store};
use std::sync::{Arc, OnceLock};

/// Makes and checks proofs.
pub trait Stamp: Send + Sync {
    /// A text that only who knows the secret can make, another one each time; none when there is no randomness.
    fn make(&self, message: &[u8]) -> Option<String>;

    /// Whether a text was made for this message.
    fn fits(&self, message: &[u8], stamp: &str) -> bool;
}

/// Where the store keeps who makes them.
pub(crate) type StampSlot = OnceLock<Arc<dyn Stamp>>;

impl Store {
    /// Says who makes the proofs of [`crate::Tx::stamp`]. Counts once.
    pub fn stamp_with(&self, stamp: Arc<dyn Stamp>) {
        let _ = self.stamp_slot().set(stamp);
    }
}

pub(crate) fn make(slot: &StampSlot, message: &[u8]) -> Result<String, Error> {
    let stamp = slot.get().and_then(|stamp| stamp.make(message));
    stamp.ok_or_else(|| Error::Database("there is nothing to make proofs with".into()))
}

pub(crate) fn fits(slot: &StampSlot, message: &[u8], text: &str) -> bool {
    slot.get().is_some_and(|stamp| stamp.fits(message, text))
}
