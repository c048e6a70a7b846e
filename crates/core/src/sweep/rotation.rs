//! Turns: a few of many, in order and around. In: everything that waits for a turn; out: whose turn
//! it is. No IO.

/// Whose turn was last.
#[derive(Clone, Debug)]
pub struct Rotation<T>(Option<T>);

impl<T> Default for Rotation<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord + Clone> Rotation<T> {
    /// The next `count` of `all` (sorted, without doubles), beginning after the last one that had
    /// its turn; everything once where there are not more.
    pub fn next(&mut self, all: &[T], count: usize) -> Vec<T> {
        let start = match &self.0 {
            Some(last) => all.partition_point(|item| item <= last),
            None => 0,
        };
        let (before, after) = all.split_at(start);
        let turn: Vec<T> = after.iter().chain(before).take(count).cloned().collect();
        if let Some(last) = turn.last() {
            self.0 = Some(last.clone());
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_has_a_turn_before_anyone_has_a_second() {
        let mut rotation = Rotation::default();
        let all = [1, 2, 3, 4, 5];
        assert_eq!(rotation.next(&all, 2), [1, 2]);
        assert_eq!(rotation.next(&all, 2), [3, 4]);
        assert_eq!(rotation.next(&all, 2), [5, 1]);
        // Those that come and go in between change nothing for the others.
        assert_eq!(rotation.next(&[2, 4, 6], 2), [2, 4]);
        assert_eq!(rotation.next(&[3, 5], 2), [5, 3]);
        assert_eq!(rotation.next(&[], 2), Vec::<i32>::new());
    }
}
