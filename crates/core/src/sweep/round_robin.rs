//! Turns: a few of many, in order and around. In: everything that waits for a turn; out: whose turn
//! it is. No IO.

use std::borrow::Borrow;

/// Whose turn was last.
#[derive(Clone, Debug)]
pub struct RoundRobin<T>(Option<T>);

impl<T> Default for RoundRobin<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> RoundRobin<T> {
    /// The next `count` of `all` (sorted, without doubles), beginning after the last one that had
    /// its turn; everything once where there are not more.
    pub fn next<'a, B>(&mut self, all: &[&'a B], count: usize) -> Vec<&'a B>
    where
        T: Borrow<B>,
        B: Ord + ToOwned<Owned = T> + ?Sized,
    {
        let start = match &self.0 {
            Some(last) => all.partition_point(|item| *item <= last.borrow()),
            None => 0,
        };
        let (before, after) = all.split_at(start);
        let turn: Vec<&B> = after.iter().chain(before).take(count).copied().collect();
        if let Some(last) = turn.last() {
            self.0 = Some((*last).to_owned());
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_turn_before_anyone_has_a_second() {
        let mut rotation = RoundRobin::<String>::default();
        let all = ["a", "b", "c", "d", "e"];
        assert_eq!(rotation.next(&all, 2), ["a", "b"]);
        assert_eq!(rotation.next(&all, 2), ["c", "d"]);
        assert_eq!(rotation.next(&all, 2), ["e", "a"]);
        // Those that come and go in between change nothing for the others.
        assert_eq!(rotation.next(&["b", "d", "f"], 2), ["b", "d"]);
        assert_eq!(rotation.next(&["c", "e"], 2), ["e", "c"]);
        assert_eq!(rotation.next::<str>(&[], 2), Vec::<&str>::new());
    }
}
