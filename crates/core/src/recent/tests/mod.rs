//! Readings in the minute after an own write; refusals are in [`explained`].

mod explained;

use crate::step::RoleStep;
use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

const ACCOUNT: &str = "111122223333";

fn names() -> Names {
    Names {
        path: "/".into(),
        role: "r".into(),
        policy: "p".into(),
        instance_profile: "n".into(),
    }
}

/// Writes as they came, each replacing a state by another.
struct History {
    recent: RecentWrites,
    now: Timestamp,
    expected: Observed,
}

impl History {
    fn starting_from(expected: Observed) -> Self {
        Self {
            recent: RecentWrites::new(at(-1000)),
            now: at(110),
            expected,
        }
    }

    fn wrote(&mut self, second: i64, next: Observed) {
        let step = Step::Role(RoleStep::Update {
            role: "r".into(),
            description: String::new(),
            max_session_duration: 3600,
        });
        self.recent
            .wrote(at(second), ACCOUNT, &step, &self.expected, &next);
        self.expected = next;
    }

    fn settle(&self, read: &Observed) -> Seen {
        (self.recent).settle(self.now, ACCOUNT, &names(), read.clone())
    }
}

fn with_profile(roles: &[&str]) -> Observed {
    Observed {
        instance_profile: Some(ObservedInstanceProfile {
            arn: "a".into(),
            id: "i".into(),
            name: "n".into(),
            tags: smr_api::Tags::new(),
            created: None,
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        }),
        ..Observed::default()
    }
}

fn history() -> History {
    let mut history = History::starting_from(Observed::default());
    history.wrote(100, with_profile(&[]));
    history.wrote(101, with_profile(&["r"]));
    history
}

#[test]
fn a_state_from_before_our_write_is_stale_while_the_window_lasts() {
    let mut history = history();
    for old in [Observed::default(), with_profile(&[])] {
        let settled = history.settle(&old);
        assert!(settled.stale_parts);
        assert_eq!(settled.state, with_profile(&["r"]));
    }
    history.now = at(170);
    let settled = history.settle(&Observed::default());
    assert!(!settled.stale_parts);
    assert_eq!(settled.state, Observed::default());
}

#[test]
fn a_state_that_never_was_is_real_even_in_the_window() {
    let history = history();
    let settled = history.settle(&with_profile(&["intruder"]));
    assert!(!settled.stale_parts);
    assert_eq!(settled.state, with_profile(&["intruder"]));
}

#[test]
fn what_we_believe_is_not_stale() {
    let settled = history().settle(&with_profile(&["r"]));
    assert!(!settled.stale_parts);
}

fn role() -> ObservedRole {
    ObservedRole {
        arn: "arn:aws:iam::111122223333:role/r".into(),
        id: "AROA1".into(),
        name: "r".into(),
        trust: "{}".into(),
        description: "new".into(),
        max_session_duration: 3600,
        boundary: None,
        tags: smr_api::Tags::new(),
        last_used: None,
        created: None,
        attached: ["own".to_owned()].into(),
        inline: BTreeMap::new(),
    }
}

fn with_role(change: impl FnOnce(&mut ObservedRole)) -> Observed {
    let mut role = role();
    change(&mut role);
    Observed {
        role: Some(role),
        ..Observed::default()
    }
}

/// A description was changed and a policy attached, one call after the other.
fn history_of_role() -> History {
    let mut history = History::starting_from(with_role(|r| {
        r.description = "old".into();
        r.attached.clear();
    }));
    history.wrote(100, with_role(|r| r.attached.clear()));
    history.wrote(101, with_role(|_| {}));
    history
}

/// IAM's replicas answer each call for themselves: one may be behind in one and not in another.
#[test]
fn each_part_of_a_role_is_judged_for_itself() {
    let history = history_of_role();
    // Stale in its settings, current in what is attached, and the other way round.
    for stale in [
        with_role(|r| r.description = "old".into()),
        with_role(|r| r.attached.clear()),
    ] {
        let settled = history.settle(&stale);
        assert!(settled.stale_parts, "{stale:?}");
        assert_eq!(settled.state, with_role(|_| {}));
    }
    // A stale part hides no real difference in another one.
    let settled = history.settle(&with_role(|r| {
        r.description = "old".into();
        r.attached.insert("intruder".into());
        r.inline.insert("intruder".into(), None);
    }));
    assert!(settled.stale_parts);
    assert_eq!(
        settled.state,
        with_role(|r| {
            r.attached.insert("intruder".into());
            r.inline.insert("intruder".into(), None);
        })
    );
    // Nor is a mixture that never was taken for stale: someone has changed both at once.
    let mixed = with_role(|r| {
        r.description = "old".into();
        r.max_session_duration = 7200;
    });
    assert_eq!(
        history.settle(&mixed),
        Seen {
            state: mixed.clone(),
            stale_parts: false
        }
    );
}

/// Someone uses the role: that is neither stale nor a difference.
#[test]
fn the_last_use_is_always_as_read() {
    let used = |r: &mut ObservedRole| r.last_used = Some(at(5));
    let settled = history_of_role().settle(&with_role(used));
    assert_eq!(settled.state, with_role(used));
    assert!(!settled.stale_parts);
    let settled = history_of_role().settle(&with_role(|r| {
        used(r);
        r.description = "old".into();
    }));
    assert_eq!(settled.state, with_role(used));
    assert!(settled.stale_parts);
}

#[test]
fn a_role_that_we_deleted_and_one_that_we_made() {
    let mut deleted = History::starting_from(with_role(|_| {}));
    deleted.wrote(100, Observed::default());
    let settled = deleted.settle(&with_role(|r| r.last_used = Some(at(5))));
    assert!(settled.stale_parts);
    assert_eq!(settled.state, Observed::default());
    // Made anew by someone else meanwhile: another id is no reading of ours.
    let other = with_role(|r| r.id = "AROA2".into());
    assert_eq!(deleted.settle(&other).state, other);
    // A role that was there before our writes was never absent: that is real.
    let settled = history_of_role().settle(&Observed::default());
    assert_eq!(settled.state, Observed::default());
    assert!(!settled.stale_parts);
}

fn with_policy(default: &str, document: &str, versions: &[&str]) -> Observed {
    Observed {
        policy: Some(ObservedPolicy {
            arn: "p".into(),
            id: "ANPA1".into(),
            name: "p".into(),
            tags: smr_api::Tags::new(),
            created: None,
            default_version: default.into(),
            document: document.into(),
            versions: versions.iter().map(|v| (*v).to_owned()).collect(),
        }),
        ..Observed::default()
    }
}

#[test]
fn each_part_of_a_policy_is_judged_for_itself() {
    let mut history = History::starting_from(with_policy("v1", "old", &["v1"]));
    history.wrote(100, with_policy("v2", "new", &["v1", "v2"]));
    history.wrote(101, with_policy("v2", "new", &["v2"]));
    let now = with_policy("v2", "new", &["v2"]);
    for stale in [
        with_policy("v1", "old", &["v1"]),
        with_policy("v1", "old", &["v2"]),
        with_policy("v2", "new", &["v1", "v2"]),
        with_policy("v2", "new", &["v1"]),
    ] {
        let settled = history.settle(&stale);
        assert!(settled.stale_parts, "{stale:?}");
        assert_eq!(settled.state, now);
    }
    // The default version set back by someone looks like before and is observed only later, but
    // another document under the old number never was.
    let real = with_policy("v1", "other", &["v2"]);
    let settled = history.settle(&real);
    assert_eq!(settled.state, real);
    assert!(!settled.stale_parts);
    // Tags are a part of their own too.
    let mut tagged = with_policy("v1", "old", &["v2"]);
    let policy = tagged.policy.as_mut().unwrap();
    policy.tags.insert("theirs".into(), "1".into());
    let settled = history.settle(&tagged);
    assert!(settled.stale_parts);
    let policy = settled.state.policy.unwrap();
    assert_eq!(policy.document, "new");
    assert!(policy.tags.contains_key("theirs"));
}

#[test]
fn after_a_restart_the_window_runs_from_the_last_change_of_ready() {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
    assert_eq!(restart_window(None, at(100)), None);
    let mut status = SessionManagerRoleStatus::default();
    assert_eq!(restart_window(Some(&status), at(100)), None);
    status.conditions.push(Condition {
        type_: "Ready".into(),
        status: "True".into(),
        reason: "Converged".into(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: Time(at(100)),
    });
    for (now, left) in [(100, Some(60)), (159, Some(1)), (160, None), (1000, None)] {
        assert_eq!(
            restart_window(Some(&status), at(now)),
            left.map(SignedDuration::from_secs),
            "{now}"
        );
    }
}

/// Someone has deleted ours and made another one: half of theirs and half of ours never was.
#[test]
fn another_object_of_the_name_is_taken_as_a_whole() {
    let mut history = History::starting_from(with_policy("v1", "old", &["v1"]));
    history.wrote(100, with_policy("v2", "new", &["v1", "v2"]));
    let mut theirs = with_policy("v1", "old", &["v1"]);
    theirs.policy.as_mut().unwrap().id = "ANPA2".into();
    let settled = history.settle(&theirs);
    assert_eq!(settled.state, theirs);
    assert!(!settled.stale_parts);

    let mut theirs = with_profile(&[]);
    theirs.instance_profile.as_mut().unwrap().id = "another".into();
    let settled = self::history().settle(&theirs);
    assert_eq!(settled.state, theirs);
    assert!(!settled.stale_parts);
}

/// Deleted and made anew within IAM's delay: the one of before is a late reading, whatever of it was
/// changed on the way out.
#[test]
fn an_earlier_incarnation_is_a_late_reading() {
    let mut history = History::starting_from(with_role(|_| {}));
    history.wrote(100, with_role(|r| r.attached.clear()));
    history.wrote(101, Observed::default());
    history.wrote(103, with_role(|r| r.id = "AROA2".into()));
    for late in [
        with_role(|_| {}),
        with_role(|r| r.description = "in between".into()),
        Observed::default(),
    ] {
        let settled = history.settle(&late);
        assert!(settled.stale_parts, "{late:?}");
        assert_eq!(settled.state, with_role(|r| r.id = "AROA2".into()));
    }
    // A third one is real.
    let theirs = with_role(|r| r.id = "AROA3".into());
    assert_eq!(history.settle(&theirs).state, theirs);
    history.now = at(170);
    assert_eq!(history.settle(&with_role(|_| {})).state, with_role(|_| {}));
}

/// What several calls of one stage change, IAM may show one by one, in any order.
#[test]
fn each_attachment_is_judged_for_itself() {
    let attached = |arns: &[&str]| {
        let arns: BTreeSet<String> = arns.iter().map(|a| (*a).to_owned()).collect();
        with_role(|r| r.attached = arns)
    };
    let mut history = History::starting_from(attached(&["a", "b", "c"]));
    history.wrote(100, attached(&[]));
    for late in [&["a"][..], &["b", "c"], &["a", "c"]] {
        let settled = history.settle(&attached(late));
        assert!(settled.stale_parts);
        assert_eq!(settled.state, attached(&[]));
    }
    let settled = history.settle(&attached(&["a", "theirs"]));
    assert_eq!(settled.state, attached(&["theirs"]));
}
