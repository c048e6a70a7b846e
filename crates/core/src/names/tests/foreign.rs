//! A status that anybody may have written: whatever stands in it, no object gets a name by it that its
//! spec, or its own namespace and name, could not have given.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use smr_api::forms;

use super::*;
use crate::testing::seeded;

const HOSTILE: [&str; 44] = include!("../../../../../tests/data/hostile.rs");

fn spec(text: &str) -> SessionManagerRoleSpec {
    serde_saphyr::from_str(text).unwrap()
}

/// What status gives for names, and for the object that it is of.
fn resolved_with(subject: &ObjectRef, spec: &SessionManagerRoleSpec, status: &Value) -> Names {
    let status = serde_json::from_value(status.clone()).ok();
    Names::resolve(
        subject,
        Some(spec),
        status.as_ref(),
        &Limits::new("c"),
        None,
    )
}

fn recorded(role: &str, policy: &str, profile: &str, arn: &str) -> Value {
    json!({
        "observedGeneration": 1,
        "role": { "name": role, "arn": arn, "id": "AROA1" },
        "policy": { "name": policy, "arn": arn },
        "instanceProfile": { "name": profile, "arn": arn, "id": "AIPA1" },
    })
}

/// Whether `name` can be a name of the object: asked for, or made of its namespace and name under a prefix
/// that a flag takes. Written for this test.
fn may_be(name: &str, asked: Option<&str>, subject: &ObjectRef) -> bool {
    let takes = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if let Some(asked) = asked {
        return name.eq_ignore_ascii_case(asked);
    }
    let own = format!("{}.{}", subject.namespace, subject.name);
    let Some(split) = name.len().checked_sub(own.len()) else {
        // A cut name is judged by its length and its characters: that its hash is right is another test's.
        return name.chars().all(takes) && name.len() <= ROLE_NAME_MAX;
    };
    let is_whole = name.is_char_boundary(split) && name[split..].eq_ignore_ascii_case(&own);
    let is_cut = own.len() + PREFIX_MAX > LEAST_ROOM && name.len() <= ROLE_NAME_MAX;
    name.chars().all(takes) && (is_whole && split <= PREFIX_MAX || is_cut)
}

/// The shortest name that is cut.
const LEAST_ROOM: usize = HASH_DIGITS + 2;

/// Names that are nearly right, with what attacks anywhere in them.
fn names() -> impl Strategy<Value = String> {
    let begin = prop_oneof![
        Just(String::new()),
        "[a-zA-Z0-9+=,.@_-]{0,40}",
        select(&HOSTILE[..]).prop_map(str::to_owned),
        "\\PC{0,8}",
    ];
    let middle = select(&["ns.web", "NS.Web", "ns.we", "ns", "admin", "", "other.web"][..]);
    let end = prop_oneof![
        3 => Just(String::new()),
        1 => "-[0-9a-f]{8}",
        1 => select(&HOSTILE[..]).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    (
        begin,
        middle,
        end,
        prop_oneof![9 => Just(1_usize), 1 => Just(2000)],
    )
        .prop_map(|(begin, middle, end, times)| format!("{}{middle}{end}", begin.repeat(times)))
}

/// ARNs that are nearly right.
fn arns() -> impl Strategy<Value = String> {
    prop_oneof![
        "[:/a-z0-9]{0,30}",
        ".{0,20}",
        ("(/[a-z.]{0,6}){0,4}/", names())
            .prop_map(|(path, name)| format!("arn:aws:iam::111122223333:role{path}{name}")),
    ]
}

proptest! {
    #![proptest_config(seeded(600))]

    /// Only what spec could have given counts, and of a path only what ends in slashes.
    #[test]
    fn status_gives_no_name_that_spec_can_not(
        (role, policy, profile) in (names(), names(), names()),
        arn in arns(),
        asked in select(&[None, Some("mine"), Some("ns.web")][..]),
        long in any::<bool>(),
    ) {
        let subject = subject("ns", if long { "web.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" } else { "web" });
        let spec = spec(&asked.map_or("{}".to_owned(), |name| format!("{{role: {{name: {name}}}}}")));
        let status = recorded(&role, &policy, &profile, &arn);
        let is = resolved_with(&subject, &spec, &status);
        let without = resolved_with(&subject, &spec, &Value::Null);
        for (name, given, own) in [
            (&is.role, &role, &without.role),
            (&is.policy, &policy, &without.policy),
            (&is.instance_profile, &profile, &without.instance_profile),
        ] {
            // Where status is not believed, a policy or profile follows the role.
            let follows = name == own || name == &is.role;
            prop_assert!(name == given || follows, "{name} of {status}");
            prop_assert!(may_be(name, asked, &subject), "{name} of {status}");
        }
        prop_assert!(is.path.starts_with('/') && is.path.ends_with('/'), "{is:?}");
    }

    /// An ARN is the same put together again; what is none is none.
    #[test]
    fn an_arn_is_its_parts(
        account in "[0-9]{12}",
        path in "/([a-z.@-]{1,6}/){0,4}",
        name in "[A-Za-z0-9+=,.@_-]{1,20}",
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = Account::of_caller(&format!("arn:aws-cn:iam::{account}:user/x")).unwrap();
        let arn = whole.role_arn(&path, &name);
        let parts = Arn::parse(&arn).unwrap();
        prop_assert_eq!((parts.kind, parts.path, parts.name), ("role", path.as_str(), name.as_str()));
        prop_assert_eq!((parts.partition, parts.account), ("aws-cn", account.as_str()));
        let short = &arn[..cut.index(arn.find('/').unwrap())];
        prop_assert_eq!(Arn::parse(short), None, "{}", short);
    }

    /// A caller is of a known partition and of an account of twelve digits, or nobody's.
    #[test]
    fn nobody_is_of_an_account_that_is_none(
        partition in select(&["aws", "aws-cn", "aws-iso", "", "*"][..]),
        account in prop_oneof!["[0-9]{12}", "[0-9]{0,14}", "\\PC{0,12}", Just("aws".to_owned())],
        rest in select(&["assumed-role/r/s", "user/u", "root", "", "/"][..]),
        text in ".{0,60}",
    ) {
        let callers = [format!("arn:{partition}:sts::{account}:{rest}"), text];
        for caller in callers {
            if let Ok(found) = Account::of_caller(&caller) {
                let is_id = found.id.len() == 12 && found.id.bytes().all(|b| b.is_ascii_digit());
                prop_assert!(is_id, "{found:?} of {caller}");
            }
        }
    }
}

/// Each file is a status; the object is `ns/web`, asks for no name, and keeps its own.
#[test]
fn no_status_of_the_corpus_gives_a_name() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/names/tests/corpus");
    let mut count = 0;
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let status: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let names = resolved_with(&subject("ns", "web"), &spec("{}"), &status);
        let all = [&names.role, &names.policy, &names.instance_profile];
        assert!(
            all.iter().all(|name| *name == "ns.web"),
            "{path:?}: {names:?}"
        );
        assert!(
            names.path.starts_with('/') && names.path.ends_with('/'),
            "{path:?}"
        );
        count += 1;
    }
    assert!(count >= 8, "{count}");
    // The form's own characters are those that this test takes.
    assert_eq!(forms::NAME.characters, "A-Za-z0-9_+=,.@-");
}
