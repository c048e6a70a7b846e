//! Refusals in the minute after an own write.

use super::*;
use crate::failure::{Said, Tried};
use crate::step::{ProfileStep, RoleStep, Target};

fn refusal(class: FailureClass, text: &str) -> Failure {
    let tried = Tried {
        class,
        action: "",
        resource: "",
        account: None,
    };
    Failure {
        class,
        action: String::new(),
        resource: String::new(),
        code: Box::default(),
        said: Said::by_aws(&tried, text),
        way_out: None,
    }
}

fn delete_role(name: &str) -> Step {
    Step::Role(RoleStep::Delete { role: name.into() })
}

fn create_role(name: &str) -> Step {
    Step::Role(RoleStep::Create {
        path: "/".into(),
        name: name.into(),
        trust: String::new(),
        description: String::new(),
        max_session_duration: 3600,
        boundary: None,
        tags: smr_api::Tags::new(),
    })
}

fn tag_role() -> Step {
    Step::Tag {
        target: Target::Role("r".into()),
        tags: smr_api::Tags::new(),
    }
}

fn nothing() -> Observed {
    Observed::default()
}

#[test]
fn writes_are_kept_by_name_whatever_its_case_for_a_minute_and_by_account() {
    let mut recent = RecentWrites::new(at(-1000));
    recent.wrote(
        at(100),
        ACCOUNT,
        &delete_role("Fleet"),
        &nothing(),
        &nothing(),
    );
    let taken = refusal(FailureClass::AlreadyExists, "");
    let explains = |recent: &RecentWrites, second, account, name| {
        recent.explain(at(second), account, &create_role(name), &taken, &nothing())
            == Explanation::OwnWrite
    };
    assert!(explains(&recent, 159, ACCOUNT, "fLEET"));
    assert!(!explains(&recent, 160, ACCOUNT, "fLEET"));
    assert!(!explains(&recent, 101, ACCOUNT, "other"));
    assert!(!explains(&recent, 101, "444455556666", "fleet"));
    assert!(recent.was_freed(at(101), ACCOUNT, &IamName::new(Kind::Role, "fleet")));
    recent.forget(at(159));
    assert!(!recent.accounts.is_empty());
    recent.forget(at(160));
    assert!(recent.accounts.is_empty(), "nothing is kept longer");
}

#[test]
fn a_refused_write_is_no_write() {
    let recent = RecentWrites::new(at(-1000));
    let denied = refusal(FailureClass::AccessDenied, "");
    let explained = recent.explain(at(100), ACCOUNT, &tag_role(), &denied, &nothing());
    assert_eq!(explained, Explanation::None);
}

#[test]
fn a_write_without_an_answer_may_have_had_its_effect() {
    let mut recent = RecentWrites::new(at(-1000));
    recent.may_have_written(at(100), ACCOUNT, &create_role("r"));
    assert!(recent.may_exist(at(101), ACCOUNT, &names(), Kind::Role));
    assert!(!recent.may_exist(at(101), ACCOUNT, &names(), Kind::Policy));
    assert!(!recent.may_exist(at(160), ACCOUNT, &names(), Kind::Role));
    let taken = refusal(FailureClass::AlreadyExists, "");
    let explained = recent.explain(at(101), ACCOUNT, &create_role("r"), &taken, &nothing());
    assert_eq!(explained, Explanation::OwnWrite);
}

#[test]
fn propagation_never_makes_an_explicit_deny_or_changes_a_boundary_or_the_organization() {
    let mut recent = RecentWrites::new(at(-1000));
    recent.wrote(at(100), ACCOUNT, &create_role("r"), &nothing(), &nothing());
    let explained = |said: &str| {
        let denied = refusal(FailureClass::AccessDenied, said);
        recent.explain(at(101), ACCOUNT, &tag_role(), &denied, &nothing()) == Explanation::OwnWrite
    };
    for said in [
        "",
        "because no identity-based policy allows the iam:TagRole action",
        "because no session policy allows the iam:TagRole action",
        "because no VPC endpoint policy allows the iam:TagRole action",
        "because no resource-based policy allows the iam:TagRole action",
    ] {
        assert!(explained(said), "{said}");
    }
    for said in [
        "with an explicit deny in an identity-based policy",
        "with an explicit deny",
        "with an explicit deny in a session policy",
        "because no permissions boundary allows the iam:TagRole action",
        "with an explicit deny in a permissions boundary: arn:aws:iam::1:policy/b",
        "because no service control policy allows the iam:TagRole action",
        "with an explicit deny in a resource control policy",
    ] {
        assert!(!explained(said), "{said}");
    }
}

/// AWS's words say which of the objects that a call names is not there.
#[test]
fn what_is_not_found_must_be_what_was_made() {
    let mut recent = RecentWrites::new(at(-1000));
    recent.wrote(at(100), ACCOUNT, &create_role("r"), &nothing(), &nothing());
    let theirs = "arn:aws:iam::111122223333:policy/theirs";
    let attach = Step::Role(RoleStep::AttachPolicy {
        role: "r".into(),
        policy_arn: theirs.into(),
    });
    let explained = |said: &str| {
        let failure = refusal(FailureClass::NotFound, said).of_step(&attach, "p");
        let explained = recent.explain(at(101), ACCOUNT, &attach, &failure, &nothing());
        (failure.class, explained == Explanation::OwnWrite)
    };
    let role = explained("The role with name r cannot be found.");
    assert_eq!(role, (FailureClass::NotFound, true));
    let policy = explained(&format!(
        "Policy {theirs} does not exist or is not attachable."
    ));
    assert_eq!(policy, (FailureClass::Missing, false));
    let unclear = explained("Not found.");
    assert_eq!(unclear, (FailureClass::NotFound, true));
}

/// For its first minute a process does not know what an earlier one wrote.
#[test]
fn a_young_process_takes_absence_and_new_objects_for_an_earlier_process_doing() {
    let recent = RecentWrites::new(at(100));
    let explained = |second, class, observed: &Observed| {
        recent.explain(
            at(second),
            ACCOUNT,
            &tag_role(),
            &refusal(class, ""),
            observed,
        ) == Explanation::EarlierProcess
    };
    let created = |second| with_role(|r| r.created = Some(at(second)));
    for class in [
        FailureClass::AlreadyExists,
        FailureClass::InUse,
        FailureClass::NoRoom,
    ] {
        assert!(explained(159, class, &nothing()), "{class:?}");
        assert!(!explained(160, class, &nothing()), "{class:?}");
    }
    for class in [FailureClass::AccessDenied, FailureClass::NotFound] {
        assert!(explained(110, class, &created(60)), "{class:?}");
        assert!(!explained(110, class, &created(50)), "{class:?}: it is old");
        assert!(!explained(110, class, &nothing()), "{class:?}");
        assert!(!explained(161, class, &created(150)), "{class:?}");
    }
    for class in [FailureClass::Missing, FailureClass::Quota] {
        assert!(!explained(110, class, &created(100)), "{class:?}");
    }
}

/// A quota of the account is about all names; one of a role is about that role.
#[test]
fn a_deletion_makes_room_for_any_name_of_its_kind() {
    let mut recent = RecentWrites::new(at(-1000));
    recent.wrote(
        at(100),
        ACCOUNT,
        &delete_role("other"),
        &nothing(),
        &nothing(),
    );
    let full = refusal(FailureClass::Quota, "");
    let explained = |step: &Step| {
        recent.explain(at(101), ACCOUNT, step, &full, &nothing()) == Explanation::OwnWrite
    };
    assert!(explained(&create_role("r")));
    assert!(!explained(&tag_role()));
    assert!(!explained(&Step::InstanceProfile(ProfileStep::Create {
        path: "/".into(),
        name: "r".into(),
        tags: smr_api::Tags::new(),
    })));
}

/// A policy that the role does not have any more is gone, whoever's it is: nothing is missing.
#[test]
fn what_is_detached_already_is_not_missing() {
    let theirs = "arn:aws:iam::111122223333:policy/theirs";
    let detach = Step::Role(RoleStep::DetachPolicy {
        role: "r".into(),
        policy_arn: theirs.into(),
    });
    let said = format!("Policy {theirs} was not found.");
    let failure = refusal(FailureClass::NotFound, &said).of_step(&detach, "p");
    assert_eq!(failure.class, FailureClass::NotFound);
    let mut recent = RecentWrites::new(at(-1000));
    let explained =
        |recent: &RecentWrites| recent.explain(at(101), ACCOUNT, &detach, &failure, &nothing());
    assert_eq!(explained(&recent), Explanation::None);
    // Attached a moment ago: IAM may not know it yet.
    let attach = Step::Role(RoleStep::AttachPolicy {
        role: "r".into(),
        policy_arn: theirs.into(),
    });
    recent.wrote(at(100), ACCOUNT, &attach, &nothing(), &nothing());
    assert_eq!(explained(&recent), Explanation::OwnWrite);
}
