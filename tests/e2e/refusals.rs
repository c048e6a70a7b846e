//! Writes that AWS refuses, with the flags that are shipped: what is `Stalled` at once, what is shown
//! as work in progress while a recent write may explain it, and that a right given back is enough.

use iam_emulator::{Fault, FaultKind};

use crate::support::hand::{Change, Hand};
use crate::support::iam::{LAMBDA_TRUST, READ_S3, tag};
use crate::support::{KEY, Start, World, condition, is};

const REQUEST: &str = "sessionmanager.dev/reconcile-requested-at";
const CAP: &str = "arn:aws:iam::111122223333:policy/cap";

/// How AWS says no.
#[derive(Clone, Copy)]
enum Denial {
    /// A statement denies: no recent write explains that.
    Explicit,
    /// No statement allows: a tag that is not propagated may be why.
    NoneAllows,
}

/// What makes the controller write.
#[derive(Clone, Copy)]
enum Then {
    Apply(&'static str),
    Drift(Change),
    Delete,
}

/// One object, one action that is refused.
struct Case {
    name: &'static str,
    /// It has converged on this spec before.
    before: Option<&'static str>,
    then: Then,
    action: &'static str,
    denial: Denial,
}

const fn case(
    name: &'static str,
    before: Option<&'static str>,
    then: Then,
    action: &'static str,
) -> Case {
    Case {
        name,
        before,
        then,
        action,
        denial: Denial::Explicit,
    }
}

const EMPTY: &str = "{}";
const INLINE: &str = "{policy: {type: Inline}}";
const LOGS: &str = "{sessionLogs: {s3: {bucket: my-logs}}}";
const TAGS: &str = "{tags: {team: a}}";
const EXTRA: &str =
    "{additionalPolicyArns: ['arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy']}";
const HYBRID: &str = "{principal: HybridActivation, hybrid: {regions: [eu-central-1]}}";
const HYBRID_TOO: &str =
    "{principal: HybridActivation, hybrid: {regions: [eu-central-1, eu-west-1]}}";
const RETAIN: &str = "{deletionPolicy: Retain}";
const DESCRIBED: &str = "{role: {description: servers of the web team}}";
const CAPPED: &str = "{role: {permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/cap'}}";
const TRUST: Change = Change::Trust(|d| {
    d["Statement"][0]["Principal"]["Service"] = "lambda.amazonaws.com".into();
});

/// Every writing action of the controller, on each occasion on which it writes.
const CASES: [Case; 35] = [
    // Creation.
    case("c-role", None, Then::Apply(EMPTY), "CreateRole"),
    case("c-policy", None, Then::Apply(EMPTY), "CreatePolicy"),
    case(
        "c-profile",
        None,
        Then::Apply(EMPTY),
        "CreateInstanceProfile",
    ),
    case("c-attach", None, Then::Apply(EMPTY), "AttachRolePolicy"),
    case(
        "c-add",
        None,
        Then::Apply(EMPTY),
        "AddRoleToInstanceProfile",
    ),
    case("c-put", None, Then::Apply(INLINE), "PutRolePolicy"),
    // Creation, where nothing was written to the name before.
    Case {
        denial: Denial::NoneAllows,
        ..case("n-role", None, Then::Apply(EMPTY), "CreateRole")
    },
    Case {
        denial: Denial::NoneAllows,
        ..case("n-policy", None, Then::Apply(EMPTY), "CreatePolicy")
    },
    Case {
        denial: Denial::NoneAllows,
        ..case(
            "n-profile",
            None,
            Then::Apply(EMPTY),
            "CreateInstanceProfile",
        )
    },
    // Update.
    case("u-role", Some(EMPTY), Then::Apply(DESCRIBED), "UpdateRole"),
    case(
        "u-trust",
        Some(HYBRID),
        Then::Apply(HYBRID_TOO),
        "UpdateAssumeRolePolicy",
    ),
    case(
        "u-version",
        Some(EMPTY),
        Then::Apply(LOGS),
        "CreatePolicyVersion",
    ),
    case(
        "u-narrow",
        Some(LOGS),
        Then::Apply(EMPTY),
        "DeletePolicyVersion",
    ),
    case(
        "u-inline",
        Some(INLINE),
        Then::Apply("{policy: {type: Inline}, sessionLogs: {cloudWatch: {}}}"),
        "PutRolePolicy",
    ),
    case("u-tag-r", Some(EMPTY), Then::Apply(TAGS), "TagRole"),
    case("u-tag-p", Some(EMPTY), Then::Apply(TAGS), "TagPolicy"),
    case(
        "u-tag-i",
        Some(EMPTY),
        Then::Apply(TAGS),
        "TagInstanceProfile",
    ),
    case("u-untag-r", Some(TAGS), Then::Apply(EMPTY), "UntagRole"),
    case("u-untag-p", Some(TAGS), Then::Apply(EMPTY), "UntagPolicy"),
    case(
        "u-untag-i",
        Some(TAGS),
        Then::Apply(EMPTY),
        "UntagInstanceProfile",
    ),
    case(
        "u-cap",
        Some(EMPTY),
        Then::Apply(CAPPED),
        "PutRolePermissionsBoundary",
    ),
    case(
        "u-attach",
        Some(EMPTY),
        Then::Apply(EXTRA),
        "AttachRolePolicy",
    ),
    case(
        "u-detach",
        Some(EXTRA),
        Then::Apply(EMPTY),
        "DetachRolePolicy",
    ),
    case(
        "u-type",
        Some(INLINE),
        Then::Apply("{policy: {type: Managed}}"),
        "DeleteRolePolicy",
    ),
    // Repair.
    case(
        "r-trust",
        Some(EMPTY),
        Then::Drift(TRUST),
        "UpdateAssumeRolePolicy",
    ),
    // Adoption: see the test.
    case(
        "a-stamp",
        None,
        Then::Apply("{adoptionPolicy: WithConsent}"),
        "TagRole",
    ),
    // Retain.
    case("t-role", Some(RETAIN), Then::Delete, "UntagRole"),
    case("t-policy", Some(RETAIN), Then::Delete, "UntagPolicy"),
    case(
        "t-profile",
        Some(RETAIN),
        Then::Delete,
        "UntagInstanceProfile",
    ),
    // Deletion.
    case("d-inline", Some(INLINE), Then::Delete, "DeleteRolePolicy"),
    case(
        "d-remove",
        Some(EMPTY),
        Then::Delete,
        "RemoveRoleFromInstanceProfile",
    ),
    case("d-detach", Some(EMPTY), Then::Delete, "DetachRolePolicy"),
    case(
        "d-profile",
        Some(EMPTY),
        Then::Delete,
        "DeleteInstanceProfile",
    ),
    case("d-role", Some(EMPTY), Then::Delete, "DeleteRole"),
    case("d-policy", Some(EMPTY), Then::Delete, "DeletePolicy"),
];

fn denied(action: &str, denial: Denial) -> FaultKind {
    let because = match denial {
        Denial::Explicit => "with an explicit deny in an identity-based policy".to_owned(),
        Denial::NoneAllows => {
            format!("because no identity-based policy allows the iam:{action} action")
        }
    };
    FaultKind::Error {
        status: 403,
        code: "AccessDenied".to_owned(),
        message: format!(
            "User: arn:aws:sts::111122223333:assumed-role/smr/1 is not authorized to perform: iam:{action} on resource: x {because}"
        ),
    }
}

/// How often the controller's action on objects of this name was refused.
fn refused(world: &World, action: &str, name: &str) -> usize {
    let calls = world.iam.calls();
    let about = calls.iter().filter(|call| {
        let named = |key: &str| {
            call.params
                .get(key)
                .is_some_and(|value| value.ends_with(name))
        };
        call.access_key_id == KEY
            && call.action == action
            && call.outcome == "AccessDenied"
            && ["RoleName", "PolicyName", "PolicyArn", "InstanceProfileName"]
                .map(named)
                .contains(&true)
    });
    about.count()
}

/// A role of the default name, which someone lets the object adopt.
async fn consenting_role(world: &World, name: &str) {
    let consent = format!("test/{}/{name}", world.namespace);
    let create = world.someone().create_role().path("/session-manager/");
    create
        .role_name(format!("{}.{name}", world.namespace))
        .assume_role_policy_document(LAMBDA_TRUST)
        .tags(tag("sessionmanager.dev/adoptable-by", &consent))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_refusal_that_nothing_explains_is_stalled_after_one_call() {
    let mut world = World::unrecorded("refusals").await;
    let someone = world.someone();
    let cap = someone
        .create_policy()
        .policy_name("cap")
        .policy_document(READ_S3);
    assert_eq!(cap.send().await.unwrap().policy.unwrap().arn.unwrap(), CAP);
    consenting_role(&world, "a-stamp").await;
    world.run(&Start::permissive());
    for case in &CASES {
        if let Some(before) = case.before {
            world.apply(case.name, before).await;
        }
    }
    for case in CASES.iter().filter(|case| case.before.is_some()) {
        world.ready(case.name).await;
    }
    for case in &CASES {
        let fault = Fault::new(case.action, usize::MAX, denied(case.action, case.denial));
        let name = format!("{}.{}", world.namespace, case.name);
        world.iam.inject(fault.of_caller(KEY).named(name));
    }
    for case in &CASES {
        match case.then {
            Then::Apply(spec) => drop(world.apply(case.name, spec).await),
            Then::Delete => world.delete(case.name).await,
            Then::Drift(change) => {
                let name = format!("{}.{}", world.namespace, case.name);
                let hand = Hand {
                    iam: &someone,
                    account: "111122223333",
                    name: &name,
                };
                hand.make(&change).await;
            }
        }
    }
    for Case { name, action, .. } in &CASES {
        let object = world
            .status_of(name, "AccessDenied", |status| {
                is(status, "Stalled", "True")
                    && condition(status, "Ready").is_some_and(|c| c.reason == "AccessDenied")
            })
            .await;
        // Shown after the very first refusal: nothing was retried before.
        assert_eq!(refused(&world, action, name), 1, "{name}: {action}");
        let status = object.status.unwrap();
        let message = &condition(&status, "Stalled").unwrap().message;
        assert!(
            message.starts_with(&format!("iam:{action} on arn:")),
            "{name}: {message}"
        );
        assert!(message.contains(&format!(".{name}")), "{name}: {message}");
        assert!(message.contains("controller's role"), "{name}: {message}");
        assert_eq!(world.event(name, "AccessDenied").await, *message, "{name}");
    }
    world.iam.clear_faults();
    for case in &CASES {
        world
            .annotate(case.name, REQUEST, Some("the right is back"))
            .await;
    }
    for case in &CASES {
        match case.then {
            Then::Delete => world.gone(case.name).await,
            Then::Apply(_) | Then::Drift(_) => drop(world.ready(case.name).await),
        }
    }
}

#[tokio::test]
async fn a_refusal_that_a_recent_write_may_explain_is_shown_at_once_and_stalled_in_the_end() {
    let mut world = World::quiet("explained").await;
    let actions = [
        ("attach", "AttachRolePolicy"),
        ("add", "AddRoleToInstanceProfile"),
    ];
    for (name, action) in actions {
        let fault = Fault::new(action, usize::MAX, denied(action, Denial::NoneAllows));
        world
            .iam
            .inject(fault.named(format!("{}.{name}", world.namespace)));
    }
    world.run(&Start::default());
    for (name, _) in actions {
        world.apply(name, EMPTY).await;
    }
    for (name, action) in actions {
        let object = world
            .status_of(name, "refused, and work in progress", |status| {
                is(status, "Reconciling", "True")
                    && condition(status, "Ready")
                        .is_some_and(|c| c.message.contains("AccessDenied"))
            })
            .await;
        let status = object.status.unwrap();
        let ready = condition(&status, "Ready").unwrap();
        assert_eq!(ready.reason, "Creating");
        let begins = format!("iam:{action} on arn:aws:iam::111122223333:");
        assert!(ready.message.starts_with(&begins), "{}", ready.message);
        assert!(
            ready
                .message
                .contains("AWS answered AccessDenied (identity-based policy)"),
            "{}",
            ready.message
        );
        assert!(condition(&status, "Stalled").is_none());
    }
    for (name, action) in actions {
        let message = world.reason(name, "AccessDenied").await;
        assert!(
            message.starts_with(&format!("iam:{action} on arn:")),
            "{message}"
        );
        let tries = refused(&world, action, name);
        assert!(
            tries >= 10,
            "{action} was tried {tries} times in the window"
        );
        // A delay of IAM's makes no event; the refusal does, after status says it.
        world.event(name, "AccessDenied").await;
        let reasons: Vec<String> = world
            .events(name)
            .await
            .into_iter()
            .map(|(r, _)| r)
            .collect();
        assert_eq!(reasons, ["AccessDenied"], "{name}");
    }
    world.iam.clear_faults();
    for (name, _) in actions {
        world
            .annotate(name, REQUEST, Some("the right is back"))
            .await;
        world.ready(name).await;
    }
}

#[tokio::test]
async fn a_policy_that_does_not_exist_is_named_with_its_field() {
    let mut world = World::unrecorded("missing").await;
    let own = "arn:aws:iam::111122223333:policy";
    world.run(&Start::default().flag(&format!("--allow-additional-policy={own}/*")));
    let extra = format!("{{additionalPolicyArns: ['{own}/typo']}}");
    let bounded = format!("{{role: {{permissionsBoundaryArn: '{own}/no-cap'}}}}");
    world.apply("created", EMPTY).await;
    world.ready("created").await;
    let cases = [
        ("extra", &extra, "typo", "spec.additionalPolicyArns"),
        (
            "bounded",
            &bounded,
            "no-cap",
            "spec.role.permissionsBoundaryArn",
        ),
        (
            "created",
            &bounded,
            "no-cap",
            "spec.role.permissionsBoundaryArn",
        ),
    ];
    for (name, spec, ..) in cases {
        world.apply(name, spec).await;
    }
    for (name, _, policy, field) in cases {
        let message = world.reason(name, "InvalidSpec").await;
        assert!(message.contains(&format!("{own}/{policy}")), "{message}");
        assert!(message.contains(field), "{message}");
        let object = world.get(name).await.unwrap();
        assert!(
            is(object.status.as_ref().unwrap(), "Stalled", "True"),
            "{name}"
        );
    }
    for policy in ["typo", "no-cap"] {
        let create = world.someone().create_policy().policy_name(policy);
        create.policy_document(READ_S3).send().await.unwrap();
    }
    for (name, ..) in cases {
        world.annotate(name, REQUEST, Some("it exists now")).await;
        world.ready(name).await;
    }
}
