use jiff::Timestamp;

use super::*;
use crate::account::{Account, Partition};
use crate::limits::Limits;
use crate::names::ObjectRef;
use crate::preview::converged;
use crate::resolve::resolve;
use crate::summary::{Facts, Object, Outcome, summarize};

/// An object that has converged: what it wants, its status, and what IAM holds.
fn in_sync(spec: &str) -> (Resolved, SessionManagerRoleStatus, Observed) {
    let mut limits = Limits::new("prod");
    limits.allowed_additional_policies = vec!["*".into()];
    let subject = ObjectRef {
        namespace: "team".into(),
        name: "web".into(),
        uid: "u".into(),
    };
    let account = Account {
        id: "111122223333".into(),
        partition: Partition::Aws,
    };
    let spec = serde_saphyr::from_str(spec).unwrap();
    let wanted = resolve(&spec, &subject, None, &account, &limits, None).unwrap();
    let (state, _) = converged(&wanted);
    let outcome = Outcome::Converged {
        facts: facts(&wanted, &state),
        done: None,
        unlisted: &[],
    };
    let status = told(None, &outcome);
    (wanted, status, state)
}

fn facts<'a>(wanted: &'a Resolved, observed: &'a Observed) -> Facts<'a> {
    Facts {
        desired: &wanted.desired,
        observed,
        counterparts: None,
        mode: smr_api::Mode::Enforce,
    }
}

/// Status after an outcome.
fn told(before: Option<&SessionManagerRoleStatus>, outcome: &Outcome) -> SessionManagerRoleStatus {
    let object = Object {
        generation: 1,
        status: before,
        reconcile_request: None,
    };
    summarize(object, Timestamp::UNIX_EPOCH, outcome).status
}

/// As the account's details show it: without tags of policy and profile.
fn in_bulk(mut state: Observed) -> Observed {
    if let Some(policy) = &mut state.policy {
        policy.tags.clear();
    }
    if let Some(profile) = &mut state.instance_profile {
        profile.tags.clear();
    }
    state
}

fn judge_all(
    wanted: &Resolved,
    status: &SessionManagerRoleStatus,
    reading: Observed,
    read: ReadTags,
) -> Option<&'static str> {
    let reading = as_if_tagged(&wanted.desired, reading, read);
    needs_look(wanted, status, &reading, Coverage::Details)
}

/// Judged as a whole; part by part it has to come to the same.
fn judge(spec: &str, change: impl FnOnce(&mut Observed)) -> Option<&'static str> {
    let (wanted, status, state) = in_sync(spec);
    let mut reading = in_bulk(state);
    change(&mut reading);
    let by_parts = judge_parts(&wanted, &status, reading.clone());
    let whole = judge_all(&wanted, &status, reading, ReadTags::default());
    assert_eq!(whole.is_some(), by_parts, "{spec}");
    whole
}

/// Whether one of the parts tells of a look, or is missing.
fn judge_parts(wanted: &Resolved, status: &SessionManagerRoleStatus, reading: Observed) -> bool {
    let parts = [
        reading.role.map(|role| BulkItem::Role(Box::new(role))),
        reading
            .policy
            .map(|policy| BulkItem::Policy(Box::new(policy))),
        reading
            .instance_profile
            .map(|profile| BulkItem::InstanceProfile(Box::new(profile))),
    ];
    let mut missing = super::parts(status);
    let mut looks = false;
    for part in parts.into_iter().flatten() {
        missing.remove(&part.kind());
        looks |= part_needs_look(wanted, status, part).is_some();
    }
    looks || !missing.is_empty()
}

const SPECS: [&str; 4] = [
    "{}",
    "{policy: {type: Inline}, tags: {a: b}}",
    "{principal: HybridActivation, additionalPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess']}",
    "{tags: {a: b}, sessionLogs: {s3: {bucket: my-logs}}}",
];

#[test]
fn what_is_in_sync_needs_no_look() {
    for spec in SPECS {
        assert_eq!(judge(spec, |_| ()), None, "{spec}");
    }
}

#[test]
fn every_kind_of_drift_that_the_details_show_needs_one() {
    type Change = fn(&mut Observed);
    let changes: [(&str, Change); 14] = [
        ("no role", |s| s.role = None),
        ("no policy", |s| s.policy = None),
        ("no profile", |s| s.instance_profile = None),
        ("trust", |s| {
            let trust = &mut s.role.as_mut().unwrap().trust;
            *trust = trust.replace("ec2", "lambda");
        }),
        ("description", |s| {
            s.role.as_mut().unwrap().description.push('x');
        }),
        ("session", |s| {
            s.role.as_mut().unwrap().max_session_duration = 7200;
        }),
        ("role tag", |s| {
            s.role
                .as_mut()
                .unwrap()
                .tags
                .remove("sessionmanager.dev/owner");
        }),
        ("detached", |s| s.role.as_mut().unwrap().attached.clear()),
        ("attached", |s| {
            let other = "arn:aws:iam::aws:policy/AdministratorAccess".to_owned();
            s.role.as_mut().unwrap().attached.insert(other);
        }),
        ("inline", |s| {
            s.role.as_mut().unwrap().inline.insert("extra".into(), None);
        }),
        ("document", |s| {
            let policy = s.policy.as_mut().unwrap();
            policy.document = policy.document.replace("ssm:", "s3:");
        }),
        ("version", |s| {
            s.policy.as_mut().unwrap().default_version = "v9".into();
        }),
        ("recreated", |s| {
            s.role.as_mut().unwrap().id = "AROAOTHER".into();
        }),
        ("out of the profile", |s| {
            s.instance_profile.as_mut().unwrap().roles.clear();
        }),
    ];
    for (what, change) in changes {
        assert!(judge("{}", change).is_some(), "{what}");
    }
    let boundary = "{role: {permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/cap'}}";
    let change = |s: &mut Observed| s.role.as_mut().unwrap().boundary = None;
    assert!(judge(boundary, change).is_some());
}

#[test]
fn tags_that_were_read_in_turn_count() {
    let (wanted, status, state) = in_sync("{tags: {a: b}}");
    let tags = state.policy.clone().unwrap().tags;
    let judge = |policy: &Tags, instance_profile: &Tags| {
        let read = ReadTags {
            policy: Some(policy.clone()),
            instance_profile: Some(instance_profile.clone()),
        };
        let alone = tags_need_look(&wanted, &status, read.clone());
        let whole = judge_all(&wanted, &status, in_bulk(state.clone()), read);
        assert_eq!(alone.is_some(), whole.is_some());
        whole
    };
    assert_eq!(judge(&tags, &tags), None);
    let mut changed = tags.clone();
    changed.insert("a".into(), "c".into());
    assert!(judge(&changed, &tags).is_some());
    assert!(judge(&tags, &changed).is_some());
    let mut more = tags.clone();
    more.insert("theirs".into(), "x".into());
    assert_eq!(judge(&more, &more), None, "tags of others are no drift");
}

/// Beside the inline policy a managed one of the same name: the role tells of it, and the policy.
#[test]
fn a_managed_policy_beside_the_inline_one_needs_a_look() {
    let (wanted, ..) = in_sync("{}");
    let (_, _, managed) = in_sync("{}");
    let arn = wanted.desired.policy_arn();
    let why = judge("{policy: {type: Inline}}", |s| {
        s.role.as_mut().unwrap().attached.insert(arn);
        s.policy = in_bulk(managed).policy;
    });
    assert!(why.is_some());
}

/// An object in mode Observe whose status tells of every difference there is.
fn observed(
    spec: &str,
    change: impl FnOnce(&mut Observed),
) -> (Resolved, SessionManagerRoleStatus, Observed) {
    let (wanted, status, mut state) = in_sync(spec);
    change(&mut state);
    let recorded = Recorded::of(Some(&status));
    let planned = plan(&wanted.desired, &state, &recorded, None).unwrap();
    let outcome = Outcome::Drifted {
        facts: facts(&wanted, &state),
        drift: &planned.drift,
        unlisted: &planned.unlisted,
    };
    let status = told(Some(&status), &outcome);
    assert!(!status.drift.is_empty());
    (wanted, status, state)
}

#[test]
fn in_mode_observe_what_is_told_already_needs_no_look() {
    type Change = fn(&mut Observed);
    let changes: [(&str, Change); 8] = [
        ("description", |s| {
            s.role.as_mut().unwrap().description = "changed".into();
        }),
        ("no role", |s| s.role = None),
        ("no policy", |s| s.policy = None),
        ("no profile", |s| s.instance_profile = None),
        ("another id", |s| {
            s.instance_profile.as_mut().unwrap().roles.clear();
        }),
        ("tags", |s| {
            s.role.as_mut().unwrap().tags.insert("a".into(), "c".into());
            s.policy
                .as_mut()
                .unwrap()
                .tags
                .insert("a".into(), "c".into());
            s.instance_profile.as_mut().unwrap().tags.remove("a");
        }),
        ("one beyond the spec among many", |s| {
            let role = s.role.as_mut().unwrap();
            role.trust = role.trust.replace("ec2.", "lambda.");
            for number in 0..12 {
                role.tags.remove(&format!("many-{number:02}"));
            }
            s.policy.as_mut().unwrap().document = String::new();
        }),
        ("more than status holds", |s| {
            let role = s.role.as_mut().unwrap();
            for number in 0..12 {
                role.tags.remove(&format!("many-{number:02}"));
            }
            let policy = s.policy.as_mut().unwrap();
            for number in 0..12 {
                policy.tags.remove(&format!("many-{number:02}"));
            }
        }),
    ];
    let many: Vec<String> = (0..12).map(|n| format!("many-{n:02}: x")).collect();
    let spec = format!("{{mode: Observe, tags: {{a: b, {}}}}}", many.join(", "));
    for (what, change) in changes {
        let (wanted, status, state) = observed(&spec, change);
        let judge = |status: &SessionManagerRoleStatus, state: &Observed| {
            judge_all(&wanted, status, in_bulk(state.clone()), ReadTags::default())
        };
        assert_eq!(judge(&status, &state), None, "{what}");
        // As a controller may have written them that had them in another order.
        let mut turned = status.clone();
        turned.drift.reverse();
        assert_eq!(judge(&turned, &state), None, "{what}, the last one first");
        let mut more = state.clone();
        more.role
            .get_or_insert_with(|| in_sync(&spec).2.role.unwrap())
            .max_session_duration = 7200;
        assert!(judge(&status, &more).is_some(), "{what}, and then another");
    }
}

#[test]
fn in_mode_observe_what_was_put_right_needs_a_look() {
    let spec = "{mode: Observe, tags: {a: b}}";
    let (wanted, status, _) = observed(spec, |s| s.role.as_mut().unwrap().description.push('x'));
    let (_, _, right) = in_sync(spec);
    let tags = right.policy.clone().unwrap().tags;
    assert!(judge_all(&wanted, &status, in_bulk(right), ReadTags::default()).is_some());
    // Of the policy's tags nothing is told, and nothing to tell.
    let read = |tags: Tags| ReadTags {
        policy: Some(tags),
        ..ReadTags::default()
    };
    assert_eq!(tags_need_look(&wanted, &status, read(tags.clone())), None);
    assert!(tags_need_look(&wanted, &status, read(Tags::new())).is_some());

    let (wanted, status, state) = observed(spec, |s| {
        s.policy
            .as_mut()
            .unwrap()
            .tags
            .insert("a".into(), "c".into());
    });
    let told = state.policy.unwrap().tags;
    assert_eq!(tags_need_look(&wanted, &status, read(told)), None);
    assert!(tags_need_look(&wanted, &status, read(tags)).is_some());
}

/// As lists show it.
fn in_lists(state: Observed) -> Listed {
    let Observed {
        role,
        policy,
        instance_profile,
    } = in_bulk(state);
    Listed {
        role: role.map(|role| ObservedRole {
            boundary: None,
            tags: Tags::new(),
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
            ..role
        }),
        policy: policy.map(|policy| ListedPolicy {
            arn: policy.arn,
            id: policy.id,
            name: policy.name,
            default_version: policy.default_version,
            attachments: 1,
        }),
        instance_profile,
    }
}

fn judge_listed(
    wanted: &Resolved,
    status: &SessionManagerRoleStatus,
    listed: Listed,
) -> Option<&'static str> {
    let reading = as_if_complete(listed, &wanted.desired, status);
    let reading = as_if_tagged(&wanted.desired, reading, ReadTags::default());
    needs_look(wanted, status, &reading, Coverage::Lists)
}

/// Lists show existence, ids, the role's settings, versions and membership.
#[test]
fn lists_show_a_part() {
    for spec in SPECS {
        let (wanted, status, state) = in_sync(spec);
        let listed = in_lists(state);
        let judge = |listed: Listed| judge_listed(&wanted, &status, listed);
        assert_eq!(judge(listed.clone()), None, "{spec}");
        let mut changed = listed.clone();
        changed.role.as_mut().unwrap().max_session_duration = 7200;
        assert!(judge(changed).is_some(), "{spec}");
        if listed.policy.is_some() {
            let mut changed = listed.clone();
            changed.policy.as_mut().unwrap().attachments = 0;
            assert!(judge(changed).is_some(), "{spec}");
            let mut changed = listed.clone();
            changed.policy.as_mut().unwrap().default_version = "v2".into();
            assert!(judge(changed).is_some(), "{spec}");
        }
    }
}

/// Lists do not show which policies are on a role: what status tells of is taken to be there still.
#[test]
fn in_lists_what_nobody_listed_needs_no_look_once_it_is_told() {
    let (wanted, mut status, state) = in_sync("{}");
    status.unlisted_policies = vec![
        "arn:aws:iam::aws:policy/AdministratorAccess".into(),
        "inline/extra".into(),
    ];
    assert_eq!(judge_listed(&wanted, &status, in_lists(state)), None);
}

#[test]
fn few_objects_among_many_others_are_looked_at_one_by_one() {
    assert_eq!(cheapest(0, 3), Strategy::OneByOne);
    assert_eq!(cheapest(1, 3), Strategy::AccountDetails);
    assert_eq!(cheapest(1, 10), Strategy::OneByOne);
    assert_eq!(cheapest(1000, 10), Strategy::AccountDetails);
}
