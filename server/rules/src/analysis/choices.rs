//! The decisions that make a world, one after another: all of them in order, or some at random from a fixed seed.

/// Decisions.
pub(super) struct Choices {
    /// What was chosen, and among how many.
    taken: Vec<(usize, usize)>,
    at: usize,
    /// State of splitmix64; `None` goes through all in order.
    chance: Option<u64>,
}

impl Choices {
    /// Every combination, the first of everything first.
    pub(super) fn in_order() -> Self {
        Self { taken: Vec::new(), at: 0, chance: None }
    }

    /// Combinations by chance, the same each time.
    pub(super) fn at_random() -> Self {
        Self { chance: Some(0x5eed), ..Self::in_order() }
    }

    /// One of `of`; 0 when there is nothing to choose.
    pub(super) fn among(&mut self, of: usize) -> usize {
        if of <= 1 {
            return 0;
        }
        if let Some(state) = &mut self.chance {
            return usize::try_from(mixed(state) >> 33).unwrap_or(0) % of;
        }
        if self.at == self.taken.len() {
            self.taken.push((0, of));
        }
        let choice = self.taken.get(self.at).map_or(0, |(choice, _)| *choice);
        self.at += 1;
        choice
    }

    /// Goes to the next combination; false when there is none.
    pub(super) fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, of)) = self.taken.pop() {
            if choice + 1 < of {
                self.taken.push((choice + 1, of));
                return true;
            }
        }
        false
    }
}

fn mixed(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_comes_once() {
        let mut choices = Choices::in_order();
        let mut seen = Vec::new();
        loop {
            let first = choices.among(2);
            // The second decision is there only after the first of the first.
            let second = if first == 0 { choices.among(3) } else { 9 };
            seen.push((first, second));
            if !choices.advance() {
                break;
            }
        }
        assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 9)]);
    }

    #[test]
    fn chance_repeats_itself() {
        let run = || {
            let mut choices = Choices::at_random();
            (0..20).map(|_| choices.among(5)).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
        assert!((0..5).all(|wanted| run().contains(&wanted)));
    }
}
