//! A set of a collection's fields.

use crate::Slot;

/// Most fields of a collection, system fields included.
pub const FIELDS_MAX: usize = 128;

/// Some fields of one collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SlotSet(u128);

impl SlotSet {
    /// No field.
    pub const EMPTY: Self = Self(0);
    /// Every field.
    pub const ALL: Self = Self(u128::MAX);

    /// Adds a field.
    pub fn insert(&mut self, slot: Slot) {
        self.0 |= bit(slot);
    }

    /// Takes a field out.
    pub fn remove(&mut self, slot: Slot) {
        self.0 &= !bit(slot);
    }

    /// Whether a field is in it.
    pub fn contains(self, slot: Slot) -> bool {
        self.0 & bit(slot) != 0
    }

    /// Whether it has no field.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Fields in both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Fields in this and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The fields, lowest first.
    pub fn iter(self) -> impl Iterator<Item = Slot> {
        (0u16..128).map(Slot).filter(move |slot| self.contains(*slot))
    }
}

impl FromIterator<Slot> for SlotSet {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> Self {
        let mut set = Self::EMPTY;
        slots.into_iter().for_each(|slot| set.insert(slot));
        set
    }
}

fn bit(slot: Slot) -> u128 {
    1u128.checked_shl(u32::from(slot.0)).unwrap_or(0)
}
