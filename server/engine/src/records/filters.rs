//! Filters that were read before: apps ask the same ones again and again, and reading one is a twentieth of a list.
//!
//! They belong to one version of schema and rules and go with it. What is kept must never depend on who asks, beyond what
//! [`Asked`] says: the caller and the time are still open in a filter.

use crate::Error;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stead_rules::{Expr, Filter};
use stead_schema::{CollectionId, SlotSet};

/// Most filters of a generation; two are kept.
const GENERATION_FILTERS_MAX: usize = 1_024;
/// Most bytes of a generation, about.
const GENERATION_BYTES_MAX: usize = 1024 * 1024;
/// A filter that takes more, about, is not kept.
const FILTER_KEPT_BYTES_MAX: usize = 16 * 1024;

/// Everything that a filter is read from and against, besides schema and rules.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) collection: CollectionId,
    /// Fields that do not exist for the caller.
    pub(super) hidden: SlotSet,
    /// Rules do not bind operators.
    pub(super) operator: bool,
    pub(super) filter: Box<str>,
    /// Its parameters as sent: their values decide whether it is right.
    pub(super) p: Option<Box<str>>,
}

/// How often filters were read and found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterStats {
    /// Filters in memory.
    pub kept: usize,
    /// Filters that were read, those with mistakes too.
    pub read: u64,
    /// Filters that were found in memory.
    pub found: u64,
}

/// The memory. What is asked again moves to the young generation; when that is full, it becomes the old one, and what was
/// old goes all at once: a flood of filters that differ costs one insertion each and lets those in use stay.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    kept: RwLock<Kept>,
    read: AtomicU64,
    found: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    filters: HashMap<Asked, Arc<Filter>>,
    bytes: usize,
}

impl Filters {
    /// The filter that was asked, read with `read` unless it is known.
    ///
    /// # Errors
    /// What `read` says; mistakes are not kept.
    pub(super) fn known_or(
        &self,
        asked: Asked,
        read: impl FnOnce() -> Result<Filter, Error>,
    ) -> Result<Arc<Filter>, Error> {
        let (young, old) = {
            let kept = self.kept.read();
            (kept.young.filters.get(&asked).cloned(), kept.old.filters.get(&asked).cloned())
        };
        if let Some(filter) = young {
            self.found.fetch_add(1, Ordering::Relaxed);
            return Ok(filter);
        }
        let filter = match old {
            Some(filter) => {
                self.found.fetch_add(1, Ordering::Relaxed);
                filter
            }
            None => {
                self.read.fetch_add(1, Ordering::Relaxed);
                Arc::new(read()?)
            }
        };
        if let Some(bytes) = weight(&asked, &filter) {
            // Bound to a name, so that what goes is freed after the lock.
            let _gone = self.kept.write().keep(asked, Arc::clone(&filter), bytes);
        }
        Ok(filter)
    }

    pub(crate) fn stats(&self) -> FilterStats {
        let kept = self.kept.read();
        FilterStats {
            kept: kept.young.filters.len() + kept.old.filters.len(),
            read: self.read.load(Ordering::Relaxed),
            found: self.found.load(Ordering::Relaxed),
        }
    }
}

impl Kept {
    /// Gives back what had to go.
    fn keep(&mut self, asked: Asked, filter: Arc<Filter>, bytes: usize) -> Generation {
        let full = self.young.filters.len() >= GENERATION_FILTERS_MAX
            || self.young.bytes + bytes > GENERATION_BYTES_MAX;
        let gone = if full {
            std::mem::replace(&mut self.old, take(&mut self.young))
        } else {
            Generation::default()
        };
        self.young.bytes += bytes;
        self.young.filters.insert(asked, filter);
        gone
    }
}

/// Bytes that keeping a filter takes, about; none for one that is better read again. A compiled pattern's size is not
/// known, so none is kept.
fn weight(asked: &Asked, filter: &Filter) -> Option<usize> {
    if filter.expr.any(&mut |part| matches!(part, Expr::Matches(..))) {
        return None;
    }
    let texts = asked.filter.len() + asked.p.as_deref().map_or(0, str::len);
    // Texts stand in the key and, as constants, in the expression.
    let bytes = size_of::<Asked>() + 2 * texts + filter.expr.size() * 2 * size_of::<Expr>();
    (bytes <= FILTER_KEPT_BYTES_MAX).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use stead_rules::ir::TRUE;

    fn asked(filter: &str, p: Option<&str>) -> Asked {
        let (filter, p) = (filter.into(), p.map(Into::into));
        Asked { collection: CollectionId(0), hidden: SlotSet::EMPTY, operator: false, filter, p }
    }

    fn read() -> Result<Filter, Error> {
        Ok(Filter { expr: TRUE, pinned: Vec::new() })
    }

    #[test]
    fn a_filter_is_read_once_and_anew_when_anything_that_decides_it_differs() {
        let filters = Filters::default();
        let hidden = SlotSet::ALL;
        let others = [
            asked("a", Some("{}")),
            asked("b", None),
            Asked { hidden, ..asked("a", None) },
            Asked { operator: true, ..asked("a", None) },
            Asked { collection: CollectionId(1), ..asked("a", None) },
        ];
        filters.known_or(asked("a", None), read).unwrap();
        filters.known_or(asked("a", None), || panic!("read twice")).unwrap();
        for other in others {
            filters.known_or(other, read).unwrap();
        }
        assert_eq!(filters.stats(), FilterStats { kept: 6, read: 6, found: 1 });
    }

    #[test]
    fn a_mistake_is_not_kept() {
        let filters = Filters::default();
        for _ in 0..2 {
            assert!(filters.known_or(asked("(", None), || Err(Error::internal("wrong"))).is_err());
        }
        assert_eq!(filters.stats(), FilterStats { kept: 0, read: 2, found: 0 });
    }

    #[test]
    fn a_flood_of_different_filters_stays_within_the_bound_and_leaves_those_in_use() {
        let filters = Filters::default();
        filters.known_or(asked("mine", None), read).unwrap();
        for n in 0..10 * GENERATION_FILTERS_MAX {
            filters.known_or(asked(&n.to_string(), None), read).unwrap();
            if n % 100 == 0 {
                filters.known_or(asked("mine", None), || panic!("forgotten")).unwrap();
            }
        }
        assert!(filters.stats().kept <= 2 * GENERATION_FILTERS_MAX, "{:?}", filters.stats());
        let kept = filters.kept.read();
        assert!(kept.young.bytes <= GENERATION_BYTES_MAX && kept.old.bytes <= GENERATION_BYTES_MAX);
    }

    #[test]
    fn large_filters_are_bounded_by_their_bytes_and_very_large_ones_not_kept() {
        let filters = Filters::default();
        for n in 0..1_000 {
            let large = format!("{n}{}", "x".repeat(FILTER_KEPT_BYTES_MAX / 4));
            filters.known_or(asked(&large, None), read).unwrap();
        }
        let kept = filters.stats().kept;
        assert!((1..=2 * GENERATION_BYTES_MAX / (FILTER_KEPT_BYTES_MAX / 2)).contains(&kept), "{kept}");
        filters.known_or(asked(&"y".repeat(FILTER_KEPT_BYTES_MAX), None), read).unwrap();
        assert_eq!(filters.stats().kept, kept);
    }
}
