//! Every kind of refusal by AWS as people see it: reason, Stalled or Reconciling, the whole message,
//! and that trying again changes neither text nor status.

use std::collections::BTreeMap;

use crate::support::{Start, World, condition, is};
use iam_emulator::{Fault, FaultKind};

/// Beside `Ready=False`.
const STALLED: &str = "Stalled";
const RECONCILING: &str = "Reconciling";

/// One object, one fault.
struct Case {
    name: &'static str,
    action: &'static str,
    kind: FaultKind,
    beside: &'static str,
    reason: &'static str,
}

fn case(
    name: &'static str,
    action: &'static str,
    kind: FaultKind,
    beside: &'static str,
    reason: &'static str,
) -> Case {
    Case {
        name,
        action,
        kind,
        beside,
        reason,
    }
}

fn error(status: u16, code: &str, message: &str) -> FaultKind {
    FaultKind::Error {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

fn denied(action: &str, why: &str) -> FaultKind {
    let who = "arn:aws:sts::111122223333:assumed-role/smr/web-identity-1732500000000";
    let role = "arn:aws:iam::111122223333:role/session-manager/x";
    let text =
        format!("User: {who} is not authorized to perform: {action} on resource: {role} {why}");
    error(403, "AccessDenied", &text)
}

fn cases() -> Vec<Case> {
    let create = "CreateRole";
    vec![
        case(
            "throttled",
            create,
            FaultKind::Throttle,
            RECONCILING,
            "Throttled",
        ),
        case(
            "failure",
            create,
            FaultKind::ServiceFailure,
            RECONCILING,
            "AwsUnavailable",
        ),
        case(
            "unavailable",
            "CreatePolicy",
            error(
                503,
                "ServiceUnavailable",
                "The request has failed due to a temporary failure of the server.",
            ),
            RECONCILING,
            "AwsUnavailable",
        ),
        case(
            "replicating",
            create,
            FaultKind::updates_awaiting_replication(),
            RECONCILING,
            "Creating",
        ),
        case(
            "concurrent",
            create,
            FaultKind::concurrent_modification(),
            RECONCILING,
            "Creating",
        ),
        case(
            "quota-roles",
            create,
            FaultKind::quota("RolesPerAccount", 1000),
            STALLED,
            "QuotaExceeded",
        ),
        case(
            "quota-attached",
            "AttachRolePolicy",
            FaultKind::quota("PoliciesPerRole", 10),
            STALLED,
            "QuotaExceeded",
        ),
        case(
            "too-large",
            "CreatePolicy",
            FaultKind::quota("PolicySize", 6144),
            STALLED,
            "PolicyTooLarge",
        ),
        case(
            "trust-too-large",
            create,
            FaultKind::quota("ACLSizePerRole", 2048),
            STALLED,
            "PolicyTooLarge",
        ),
        case(
            "malformed",
            "CreatePolicy",
            error(
                400,
                "MalformedPolicyDocument",
                "Resource arn:aws:s3:::my-logs/* must be in ARN format or \"*\".",
            ),
            STALLED,
            "InvalidSpec",
        ),
        case(
            "denied",
            create,
            FaultKind::AccessDenied,
            STALLED,
            "AccessDenied",
        ),
        case(
            "denied-by-boundary",
            create,
            denied(
                "iam:CreateRole",
                "because no permissions boundary allows the iam:CreateRole action",
            ),
            STALLED,
            "AccessDenied",
        ),
        case(
            "denied-by-scp",
            create,
            denied(
                "iam:CreateRole",
                "with an explicit deny in a service control policy",
            ),
            STALLED,
            "AccessDenied",
        ),
        case(
            "denied-by-session",
            create,
            denied(
                "iam:CreateRole",
                "because no session policy allows the iam:CreateRole action",
            ),
            STALLED,
            "AccessDenied",
        ),
        case(
            "denied-explicitly",
            create,
            denied(
                "iam:CreateRole",
                "with an explicit deny in an identity-based policy",
            ),
            STALLED,
            "AccessDenied",
        ),
        case(
            "denied-to-pass",
            "AddRoleToInstanceProfile",
            denied(
                "iam:PassRole",
                "because no identity-based policy allows the iam:PassRole action",
            ),
            STALLED,
            "AccessDenied",
        ),
        case(
            "denied-to-read",
            "ListAttachedRolePolicies",
            FaultKind::AccessDenied,
            STALLED,
            "AccessDenied",
        ),
        case(
            "expired",
            create,
            error(
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            ),
            STALLED,
            "CredentialsUnavailable",
        ),
    ]
}

/// How often the object's status was written, by the API server's own account.
fn status_writes(world: &World, name: &str) -> usize {
    let events = world.plane.audit_events_in(&world.namespace).unwrap();
    let about = events
        .iter()
        .filter(|event| event.object.name == name && event.object.subresource == "status");
    about.filter(|event| event.is_write()).count()
}

/// In which of the two worlds a case is played.
fn number_of(case: &Case) -> usize {
    usize::from(case.name == "throttled")
}

fn world_of<'a>(worlds: &'a [World; 2], case: &Case) -> &'a World {
    &worlds[number_of(case)]
}

/// Waits until a failure is told in its own words: that work began is told before, under the same
/// reason.
async fn tell(world: &World, case: &Case) -> String {
    let Case {
        name,
        beside,
        reason,
        ..
    } = case;
    let object = world
        .status_of(name, reason, |status| {
            [beside, "Ready"].iter().all(|type_| {
                condition(status, type_)
                    .is_some_and(|c| c.reason == *reason && c.message.starts_with("iam:"))
            }) && is(status, beside, "True")
                && is(status, "Ready", "False")
        })
        .await;
    let status = object.status.unwrap();
    let message = &condition(&status, beside).unwrap().message;
    let message = message.replace(&world.namespace, "NAMESPACE");
    assert!(message.len() <= 1024, "{message}");
    format!("{name}: {beside} {reason}\n  {message}\n\n")
}

#[tokio::test]
async fn every_refusal_is_told_once_and_the_same_again() {
    // One that throttles all the time slows every call of its account down.
    let mut worlds = [World::quiet("errors").await, World::quiet("pressed").await];
    for case in cases() {
        let world = world_of(&worlds, &case);
        let role = format!("{}.{}", world.namespace, case.name);
        let fault = Fault::new(case.action, 100_000, case.kind).named(role);
        world.iam.inject(fault);
    }
    for world in &mut worlds {
        world.run(&Start::default());
    }
    for case in cases() {
        world_of(&worlds, &case)
            .apply(case.name, "sessionLogs: {s3: {bucket: my-logs}}")
            .await;
    }
    // A creation reads nothing, and a sweep reads no object on its own.
    let request = "sessionmanager.dev/reconcile-requested-at";
    worlds[0].ready("denied-to-read").await;
    worlds[0]
        .annotate("denied-to-read", request, Some("look"))
        .await;
    let (going_on, stalled): (Vec<_>, Vec<_>) = cases()
        .into_iter()
        .partition(|case| case.beside == RECONCILING);
    let mut told = BTreeMap::new();
    for case in &going_on {
        told.insert(case.name, tell(world_of(&worlds, case), case).await);
    }

    // What goes on is tried at least three times more, without a word. (Now, as its back-off doubles.)
    let writes = |case: &Case| status_writes(world_of(&worlds, case), case.name);
    let before: Vec<usize> = going_on.iter().map(writes).collect();
    let seen = worlds.each_ref().map(|world| world.iam.last_call());
    for case in &going_on {
        let (world, seen) = (world_of(&worlds, case), seen[number_of(case)]);
        let role = format!("{}.{}", world.namespace, case.name);
        world
            .eventually(&format!("{} is tried again", case.name), async || {
                let calls = world.iam.calls_since(seen);
                let passes = calls.iter().filter(|call| {
                    call.action == "GetRole" && call.params.get("RoleName") == Some(&role)
                });
                passes.count() >= 4
            })
            .await;
    }
    let after: Vec<usize> = going_on.iter().map(writes).collect();
    assert_eq!(after, before, "status writes of what is tried again");

    for case in &stalled {
        told.insert(case.name, tell(world_of(&worlds, case), case).await);
    }
    let told: String = (cases().iter())
        .map(|case| told[case.name].as_str())
        .collect();
    insta::assert_snapshot!(told);

    // What waits for a person is tried again when asked: an answer to that, and the same text.
    for case in &stalled {
        let world = world_of(&worlds, case);
        let before = world.get(case.name).await.unwrap().status.unwrap();
        let written = writes(case);
        world.annotate(case.name, request, Some("now")).await;
        let object = world
            .status_of(case.name, "looked at again", |status| {
                status.last_handled_reconcile_at.as_deref() == Some("now")
                    && is(status, case.beside, "True")
            })
            .await;
        let after = object.status.unwrap();
        assert_eq!(
            condition(&after, "Ready"),
            condition(&before, "Ready"),
            "{}",
            case.name
        );
        assert_eq!(after.conditions, before.conditions, "{}", case.name);
        // The API server notes a write once it has answered.
        world
            .eventually(&format!("{}: one write is noted", case.name), async || {
                writes(case) > written
            })
            .await;
        assert_eq!(writes(case), written + 1, "{}", case.name);
    }
}
