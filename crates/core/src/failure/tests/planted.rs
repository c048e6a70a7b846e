//! Texts at random, with what belongs to others planted anywhere: no message has it.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What AWS's texts are made of. A planted text can follow any of them, with nothing between.
const AWSS: [&str; 30] = [
    "User: ",
    "is not authorized to perform: ",
    "iam:CreateRole",
    " on resource: ",
    "role ",
    "because no identity-based policy allows the ",
    " with an explicit deny in a service control policy",
    " with an explicit deny in a ",
    "resource control policy: ",
    "permissions boundary",
    "Cannot exceed quota for ",
    "PoliciesPerRole: 10",
    "The tag policy does not allow the specified value for the following tag key: '",
    "Invalid principal in policy: \"AWS\":\"",
    "Policy ",
    " does not exist or is not attachable.",
    "Encoded authorization failure message: ",
    "arn:aws:iam::111122223333:role/session-manager/",
    "arn:aws:iam::aws:policy/",
    "arn:aws:s3:::logs-",
    "arn:aws:kms:us-east-1:111122223333:key/",
    "111122223333",
    "arn:",
    ", ",
    ".",
    ": ",
    "/",
    "(\"",
    "') ",
    " ä€ ",
];

fn account() -> impl Strategy<Value = String> {
    "[0-9]{12}".prop_filter("it is the own account", |id| id != ACCOUNT)
}

/// Something of others: the text as AWS writes it, and the part of it that nobody may read.
fn theirs() -> impl Strategy<Value = (String, String)> {
    let organization = prop_oneof![
        "o-[a-z0-9]{10,32}",
        "ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}",
        "r-[a-z0-9]{4,32}",
        "p-[a-zA-Z0-9_]{8,32}",
    ];
    let alone = prop_oneof![organization, account()].prop_map(|id| (id.clone(), id));
    let of_organization = (account(), "o-[a-z0-9]{10,32}", "p-[a-z0-9]{8,32}").prop_flat_map(
        |(account, organization, policy)| {
            let arn = format!(
                "arn:aws:organizations::{account}:policy/{organization}/service_control_policy/{policy}"
            );
            select(vec![account, organization, policy]).prop_map(move |id| (arn.clone(), id))
        },
    );
    let policies = prop_oneof![
        (account(), "[A-Za-z0-9+=,.@_-]{6,40}")
            .prop_map(|(account, name)| format!("arn:aws:iam::{account}:policy/{name}")),
        "[A-Za-z0-9+=,.@_-]{6,40}"
            .prop_map(|name| format!("arn:aws:iam::{ACCOUNT}:policy/platform/{name}x")),
        ("[a-z]{5,20}", "[A-Za-z0-9+=,.@_-]{6,40}").prop_map(|(role, session)| format!(
            "arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}x"
        )),
    ]
    .prop_map(|arn| (arn.clone(), arn));
    prop_oneof![alone, of_organization, policies]
}

/// Something of AWS's before each of others, which ends where an id can begin.
fn texts() -> impl Strategy<Value = (String, Vec<String>)> {
    let awss = proptest::collection::vec(select(&AWSS[..]), 0..6);
    let part = (
        awss,
        theirs(),
        select(&[" ", ". ", "\"", "/", ", ", ": "][..]),
    );
    proptest::collection::vec(part, 1..5).prop_map(|parts| {
        let (mut text, mut secret) = (String::new(), Vec::new());
        for (awss, (theirs, id), after) in parts {
            text.push_str(&awss.concat());
            if text.ends_with(|c: char| c.is_ascii_alphanumeric()) {
                text.push(' ');
            }
            text.push_str(&theirs);
            text.push_str(after);
            secret.push(id);
        }
        (text, secret)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn nothing_of_others_is_in_any_message(
        (text, secret) in texts(),
        class in select(&FailureClass::ALL[..]),
        resource in select(&[ROLE, POLICY, PROFILE, "arn:aws:iam::111122223333:role/web", ""][..]),
    ) {
        let failure = refused(class, "iam:CreateRole", resource, &text);
        let around = failure.said.within(|said| format!("AWS failed: {said}"));
        let in_short = Said::by_sts_that_denied("sts:AssumeRole", resource, &text);
        let printed = [
            failure.to_string(),
            format!("{failure:?}"),
            failure.while_it_may_pass(),
            around.to_string(),
            in_short.to_string(),
        ];
        for theirs in secret {
            for printed in &printed {
                prop_assert!(!printed.contains(&theirs), "{theirs} in {printed}");
            }
        }
        prop_assert!(printed[0].len() <= MESSAGE_MAX);
    }
}
