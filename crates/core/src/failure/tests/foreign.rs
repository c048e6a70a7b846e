//! Any words under any code, as a proxy or a newer AWS may send them: what is published of them is bounded,
//! has no more than what a reader may see, and ends in what to do.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::refusal::{Explanation, Remedy};
use crate::testing::seeded;

/// What no reader may see, planted wherever a text has `@`.
const THEIRS: [&str; 6] = [
    "444455556666",
    "o-exampleorgid",
    "p-examplepolicy",
    "arn:aws:iam::444455556666:role/platform/breakglass",
    "AROAEXAMPLEID1234567:their-session",
    "8d0a3c1e-5b5f-4b0f-9c6e-0123456789ab",
];

/// What a text is made of, as AWS, proxies and browsers write it.
const PIECES: [&str; 24] = [
    "\"@\"",
    " @ ",
    "(@)",
    "<Message>@</Message>",
    "&quot;@&quot;",
    "{\"id\":\"@\"}",
    "\n@\r\n",
    "\u{feff}@",
    "『@』",
    "[@]",
    "'@'",
    "\t@.",
    "Rate exceeded",
    "is not authorized to perform: ",
    "on resource: ",
    "uthorized to perform:",
    "quota for ",
    ": ",
    "tag key: ",
    "arn:",
    "<![CDATA[",
    "]]>",
    "…",
    "\0",
];

/// A text, and what is planted in it.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => select(&PIECES[..]).prop_map(str::to_owned),
        1 => "[^@]{0,12}",
        1 => "[A-Za-z0-9:/_-]{0,80} ",
    ];
    prop::collection::vec((piece, select(&THEIRS[..])), 0..12).prop_map(|all| {
        // A space before each, as an id has no letter before it.
        let each = all
            .into_iter()
            .map(|(piece, theirs)| piece.replace('@', theirs) + " ");
        each.collect::<String>()
    })
}

fn codes() -> impl Strategy<Value = String> {
    prop_oneof![
        select(&["AccessDenied", "Throttling", "", "Strange", "a.b"][..]).prop_map(str::to_owned),
        "[A-Za-z.]{0,2000}",
        ".{0,40}",
        select(&THEIRS[..]).prop_map(str::to_owned),
    ]
}

/// Everything that is published of a failure.
fn published(failure: &Failure) -> Vec<String> {
    vec![
        failure.to_string(),
        failure.while_it_may_pass(),
        format!("{:?}", failure.said),
        failure.said.to_string(),
    ]
}

proptest! {
    #![proptest_config(seeded(500))]

    #[test]
    fn what_is_published_is_bounded_and_has_nothing_of_others(
        text in texts(),
        code in codes(),
        class in select(&FailureClass::ALL[..]),
        resource in select(&[ROLE, POLICY, PROFILE, ""][..]),
    ) {
        let failure = Failure {
            code: code.as_str().into(),
            ..refused(class, "iam:CreateRole", resource, &text)
        };
        for published in published(&failure) {
            for theirs in THEIRS {
                prop_assert!(!published.contains(theirs), "{theirs} in {published}");
            }
        }
        // Kubernetes refuses events of more than 1024 bytes.
        for message in [failure.to_string(), failure.while_it_may_pass()] {
            prop_assert!(message.len() <= MESSAGE_MAX, "{} bytes: {message}", message.len());
            prop_assert!(message.starts_with("iam:CreateRole"), "{message}");
        }
        let way_out = failure.way_out();
        prop_assert!(!way_out.is_empty() && failure.to_string().ends_with(&way_out));
        let passing = failure.while_it_may_pass();
        prop_assert!(passing.contains("AWS answered ") && !passing.contains("answered ."), "{passing}");
    }

    /// What people may read of a text says the same when it is read again: nothing of it is an id.
    #[test]
    fn what_is_left_is_left_again(text in texts(), class in select(&FailureClass::ALL[..])) {
        let once = refused(class, "iam:CreateRole", ROLE, &text).said.to_string();
        let again = refused(class, "iam:CreateRole", ROLE, &once).said.to_string();
        // A refusal for want of rights is made anew from the words that it was made of.
        if class != FailureClass::AccessDenied {
            prop_assert_eq!(again, once);
        }
    }

    /// Each class of a call has one remedy, and the controller retries only what needs no person.
    #[test]
    fn the_words_decide_no_remedy(text in texts(), class in select(&FailureClass::ALL[..])) {
        let failure = refused(class, "iam:CreateRole", ROLE, &text);
        for remedy in [
            Remedy::of_write(class, Explanation::None),
            Remedy::of_read(class),
            Remedy::of_write(class, Explanation::None).after_looking(class, Explanation::None),
        ] {
            let by_itself = matches!(remedy, Remedy::Retry);
            let says_so = failure.to_string().contains(RETRIES);
            let by_class = matches!(
                class,
                FailureClass::Throttled
                    | FailureClass::ConcurrentChange
                    | FailureClass::Unavailable
                    | FailureClass::NotFound
                    | FailureClass::NotLeader
            );
            prop_assert_eq!(says_so, by_class);
            // The words ask a person to act exactly where the controller does not retry.
            if by_itself {
                prop_assert!(says_so || matches!(class, FailureClass::AlreadyExists | FailureClass::NoRoom));
            }
            if remedy == Remedy::Stall {
                prop_assert!(!says_so, "{failure}");
            }
        }
    }
}

/// Each file is a text of AWS, or of what stands before it; all that it has of others begins with `@`.
#[test]
fn nothing_of_the_corpus_is_published() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/failure/tests/corpus");
    let mut count = 0;
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for class in FailureClass::ALL {
            let failure = refused(class, "iam:CreateRole", ROLE, &text);
            for published in published(&failure) {
                for theirs in THEIRS.iter().chain(&["breakglass", "SECRET"]) {
                    assert!(
                        !published.contains(theirs),
                        "{path:?}: {theirs} in {published}"
                    );
                }
            }
        }
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

/// 100 KB that could be taken apart again at each character.
#[test]
fn large_texts_have_an_end() {
    for piece in [
        "o-",
        "-_",
        "p-_",
        "AROA",
        "arn:",
        "1-",
        "a:",
        ":a",
        "<",
        "é",
        "arn:aws:iam::1:",
        "123456789012",
    ] {
        let text = piece.repeat(100_000 / piece.len());
        for class in [FailureClass::Refused, FailureClass::AccessDenied] {
            let message = refused(class, "iam:CreateRole", ROLE, &text).to_string();
            assert!(message.len() <= MESSAGE_MAX, "{piece}");
        }
    }
}
