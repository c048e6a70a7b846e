//! The table, cell by cell.

use super::*;
use FailureClass as Class;
use Remedy::{LookAgain, Retry, Stall, Stop, Wait};

/// Class, what is done where a recent write explains it and where none does, and what is left of that
/// after readings that have not helped.
const DECISIONS: [(Class, Remedy, Remedy, Remedy); 15] = [
    (Class::Throttled, Retry, Retry, Retry),
    (Class::ConcurrentChange, Retry, Retry, Retry),
    (Class::Unavailable, LookAgain, LookAgain, Retry),
    (Class::AccessDenied, Wait, Stall, Stall),
    (Class::Credentials, Stall, Stall, Stall),
    (Class::Partition, Stall, Stall, Stall),
    (Class::Quota, Wait, Stall, Stall),
    (Class::TooLarge, Stall, Stall, Stall),
    (Class::Refused, Stall, Stall, Stall),
    (Class::AlreadyExists, Wait, LookAgain, Stall),
    (Class::NotFound, Wait, LookAgain, Retry),
    (Class::Missing, Wait, Stall, Stall),
    (Class::NoRoom, Wait, LookAgain, Stall),
    (Class::InUse, Wait, Stall, Stall),
    (Class::NotLeader, Stop, Stop, Stop),
];

#[test]
fn what_is_done_about_each_class() {
    for (class, explained, unexplained, in_the_end) in DECISIONS {
        let of_write = |explanation| Remedy::of_write(class, explanation);
        assert_eq!(of_write(Explanation::OwnWrite), explained, "{class:?}");
        assert_eq!(of_write(Explanation::None), unexplained, "{class:?}");
        let after = |explanation| unexplained.after_looking(class, explanation);
        assert_eq!(after(Explanation::None), in_the_end, "{class:?}");
        // Of an earlier process only readings tell: they come first.
        let by_an_earlier_process = match (explained, unexplained) {
            (Wait, LookAgain) => LookAgain,
            (explained, _) => explained,
        };
        let earlier = of_write(Explanation::EarlierProcess);
        assert_eq!(earlier, by_an_earlier_process, "{class:?}");
        if explained == Wait && unexplained == LookAgain {
            assert_eq!(after(Explanation::EarlierProcess), Wait, "{class:?}");
        }
        let read = Remedy::of_read(class);
        assert!(
            !matches!(read, Wait | LookAgain),
            "{class:?}: a read ends the pass"
        );
    }
}

/// What each write explains; everything else it does not.
const EXPLAINED: [(Write, &[Class]); 10] = [
    (
        Write::Created,
        &[
            Class::NotFound,
            Class::Missing,
            Class::AccessDenied,
            Class::AlreadyExists,
        ],
    ),
    (
        Write::MaybeCreated,
        &[
            Class::NotFound,
            Class::Missing,
            Class::AccessDenied,
            Class::AlreadyExists,
        ],
    ),
    (Write::Tagged, &[Class::AccessDenied]),
    (Write::Bounded, &[Class::AccessDenied]),
    (Write::Added, &[Class::NotFound, Class::Missing]),
    (Write::NewDefault, &[Class::InUse]),
    (Write::Changed, &[]),
    (Write::Removed, &[Class::InUse, Class::NoRoom, Class::Quota]),
    (Write::Untagged, &[Class::Quota]),
    (
        Write::Deleted,
        &[Class::AlreadyExists, Class::NoRoom, Class::Quota],
    ),
];

#[test]
fn every_cell_of_class_and_write() {
    let known: Vec<Write> = EXPLAINED.iter().map(|(write, _)| *write).collect();
    assert_eq!(known, Write::ALL);
    for (write, explained) in EXPLAINED {
        for (class, ..) in DECISIONS {
            let expected = explained.contains(&class);
            assert_eq!(
                explains(class, write),
                expected,
                "{class:?} after {write:?}"
            );
        }
    }
}
