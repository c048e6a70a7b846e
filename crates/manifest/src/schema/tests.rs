use std::fmt::Write as _;

use crate::yaml::{Value, parse};
use regex::Regex;
use serde_json::json;
use smr_api::forms;
use smr_core::account::{Account, Partition};

use super::*;

const HOSTILE: [&str; 44] = include!("../../../../tests/data/hostile.rs");
const INVALID: &str = include_str!("../../../../tests/data/invalid.yaml");
const HEAD: &str = "apiVersion: sessionmanager.dev/v1alpha1\nkind: SessionManagerRole\n";

fn document(rest: &str) -> Node {
    parse(&format!("{HEAD}{rest}")).unwrap().remove(0)
}

fn problems(rest: &str) -> Vec<String> {
    match Schema::new().unwrap().check(&document(rest), None) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .into_iter()
            .map(|p| format!("{}: {}", p.field, p.message))
            .collect(),
    }
}

/// A case's `object` over a minimal manifest.
fn merged(object: &Node) -> Node {
    let mut base = document("metadata: {name: web}\nspec: {}\n");
    let Value::Map(entries) = &mut base.value else {
        panic!()
    };
    for entry in object.entries() {
        let mut entry = entry.clone();
        let before = entries
            .iter()
            .position(|e| e.key == entry.key)
            .map(|at| entries.remove(at));
        if let (Some(before), Value::Map(own)) = (before, &mut entry.node.value) {
            own.extend(
                before
                    .node
                    .entries()
                    .iter()
                    .filter(|e| entry_lacks(own, &e.key))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
        entries.push(entry);
    }
    base
}

fn entry_lacks(own: &[crate::yaml::Entry], key: &str) -> bool {
    own.iter().all(|e| e.key != key)
}

#[test]
fn every_invalid_sample_is_refused_for_the_right_fields() {
    let schema = Schema::new().unwrap();
    let cases = parse(INVALID).unwrap().remove(0);
    let Value::List(cases) = cases.value else {
        panic!()
    };
    assert!(cases.len() > 40);
    let mut told = String::new();
    for case in &cases {
        let name = case.get("case").and_then(Node::text).unwrap();
        let expected: Vec<String> =
            serde_json::from_value(case.get("fields").unwrap().to_json()).unwrap();
        let document = merged(case.get("object").unwrap());
        let problems = schema.check(&document, None).expect_err(name);
        let mut fields: Vec<&str> = problems.iter().map(|p| p.field.as_str()).collect();
        fields.dedup();
        assert_eq!(fields, expected, "{name}: {problems:?}");
        for problem in problems {
            writeln!(told, "{name}\n  {}: {}", problem.field, problem.message).unwrap();
        }
    }
    insta::assert_snapshot!("invalid", told);
}

#[test]
fn what_is_right_is_accepted() {
    for sample in ["minimal", "logs-and-kms", "hybrid"] {
        let path = format!(
            "{}/../../deploy/samples/{sample}.yaml",
            env!("CARGO_MANIFEST_DIR")
        );
        let node = parse(&std::fs::read_to_string(path).unwrap())
            .unwrap()
            .remove(0);
        Schema::new().unwrap().check(&node, None).unwrap();
    }
    assert_eq!(
        problems(
            "metadata: {name: web}\nspec: {path: null, role: {tags: null}}\nstatus: {accountId: 1}\n"
        ),
        [""; 0]
    );
}

#[test]
fn what_can_not_be_changed_is_told_with_the_rules_own_words() {
    let schema = Schema::new().unwrap();
    let before = schema
        .check(
            &document("metadata: {name: web}\nspec: {role: {name: one}}\n"),
            None,
        )
        .unwrap();
    for spec in ["{role: {name: two}}", "{role: {}}", "{}"] {
        let after = document(&format!("metadata: {{name: web}}\nspec: {spec}\n"));
        let problems = schema.check(&after, Some(&before.json)).unwrap_err();
        assert_eq!(problems[0].field, "spec.role.name", "{spec}");
        assert!(
            problems[0]
                .message
                .starts_with("spec.role.name can't be changed: an IAM role can't be renamed")
        );
    }
}

#[test]
fn another_version_or_kind_of_ours_is_told() {
    let schema = Schema::new().unwrap();
    let node = parse("apiVersion: sessionmanager.dev/v1\nkind: SessionManagerRoles\nmetadata: {name: a}\nspec: {}\n").unwrap().remove(0);
    let fields: Vec<_> = schema
        .check(&node, None)
        .unwrap_err()
        .into_iter()
        .map(|p| p.field)
        .collect();
    assert_eq!(fields, ["apiVersion", "kind"]);
}

/// What `smr plan` says of a manifest, by the CRD's rules and by the core alone; of a partition only
/// the core judges.
fn said(schema: &Schema, spec: &Json) -> (Vec<String>, Vec<String>) {
    let account = Account {
        id: "111122223333".into(),
        partition: Partition::Aws,
    };
    let (by_rules, mut by_core) = said_in(schema, spec, &account);
    by_core.retain(|said| !said.contains("lies in partition"));
    (by_rules, by_core)
}

/// JSON is YAML but for the characters that YAML wants escaped.
fn escaped(json: &str) -> String {
    json.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii() {
            text.push(c);
        } else {
            let _ = write!(text, "\\U{:08x}", u32::from(c));
        }
        text
    })
}

fn said_in(schema: &Schema, spec: &Json, account: &Account) -> (Vec<String>, Vec<String>) {
    let text = escaped(&serde_json::to_string(spec).unwrap());
    let spec: SessionManagerRoleSpec = serde_json::from_value(spec.clone()).unwrap();
    let by_rules = schema.check(
        &document(&format!("metadata: {{name: web}}\nspec: {text}\n")),
        None,
    );
    let by_rules = by_rules.err().unwrap_or_default().into_iter();
    let mut limits = smr_core::limits::Limits::new("test");
    limits.allowed_paths = spec.path.iter().cloned().collect();
    limits.allowed_additional_policies = vec!["*".to_owned()];
    let subject = smr_core::names::ObjectRef {
        namespace: "team".into(),
        name: "web".into(),
        uid: "u".into(),
    };
    let by_core = smr_core::resolve::resolve(&spec, &subject, None, account, &limits, None);
    let by_core = by_core.err().unwrap_or_default().into_iter();
    (
        by_rules.map(|p| p.message).collect(),
        by_core
            .map(|p| format!("{} {}", p.field, p.problem))
            .collect(),
    )
}

/// A field, and a spec with a text in it.
type Field = (&'static str, fn(&str) -> Json);

/// The same text in a field before the rules and before the core: both take it, or both refuse it
/// with the same words.
#[test]
fn the_rules_and_the_core_say_the_same_of_every_text() {
    let schema = Schema::new().unwrap();
    let fields: [Field; 13] = [
        ("spec.path", |t| json!({"path": t})),
        ("spec.role.name", |t| json!({"role": {"name": t}})),
        (
            "spec.role.description",
            |t| json!({"role": {"description": t}}),
        ),
        (
            "spec.role.permissionsBoundaryArn",
            |t| json!({"role": {"permissionsBoundaryArn": t}}),
        ),
        ("spec.policy.name", |t| json!({"policy": {"name": t}})),
        (
            "spec.instanceProfile.name",
            |t| json!({"instanceProfile": {"name": t}}),
        ),
        (
            "spec.sessionEncryption.kmsKeyArn",
            |t| json!({"sessionEncryption": {"kmsKeyArn": t}}),
        ),
        (
            "spec.sessionLogs.s3.bucket",
            |t| json!({"sessionLogs": {"s3": {"bucket": t}}}),
        ),
        (
            "spec.sessionLogs.s3.keyPrefix",
            |t| json!({"sessionLogs": {"s3": {"bucket": "my-logs", "keyPrefix": t}}}),
        ),
        (
            "spec.sessionLogs.s3.bucketOwnerAccountId",
            |t| json!({"sessionLogs": {"s3": {"bucket": "my-logs", "bucketOwnerAccountId": t}}}),
        ),
        (
            "spec.sessionLogs.cloudWatch.logGroupName",
            |t| json!({"sessionLogs": {"cloudWatch": {"logGroupName": t}}}),
        ),
        ("spec.tags", |t| json!({"tags": {t: "v"}})),
        ("spec.tags.k", |t| json!({"tags": {"k": t}})),
    ];
    let own = [
        "${",
        ".",
        "--",
        "a",
        "Z",
        "arn:",
        "/a/",
        "111122223333",
        "my-logs",
        "arn:aws:iam::aws:policy/x",
        "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ];
    let pieces = [&HOSTILE[..], &own].concat();
    // CEL can't say which of all characters it is.
    let unnumbered =
        Regex::new("U\\+[0-9A-F]+ \\((a combining|an invisible) character\\)").unwrap();
    let mut rng = fastrand::Rng::with_seed(13);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..200 {
        for (field, spec) in fields {
            let count = rng.usize(0..4);
            let text: String = (0..count)
                .filter_map(|_| rng.choice(&pieces).copied())
                .collect();
            let (rules, core) = said(&schema, &spec(&text));
            assert_eq!(
                rules.is_empty(),
                core.is_empty(),
                "{field} {text:?}: {rules:?} {core:?}"
            );
            if field.starts_with("spec.tags") || rules.is_empty() {
                accepted += usize::from(rules.is_empty());
                continue;
            }
            refused += 1;
            let words = |said: &str| {
                let words = said.trim_start_matches(field).trim_start();
                unnumbered.replace_all(words, "$1 character").into_owned()
            };
            let words = |said: Vec<String>| said.iter().map(|s| words(s)).collect::<Vec<_>>();
            assert_eq!(words(rules), words(core), "{field} {text:?}");
        }
    }
    assert!(
        accepted > 200 && refused > 500,
        "{accepted} accepted, {refused} refused"
    );
}

/// What is a region, and of which partition.
const REGIONS: [(&str, Option<Partition>); 29] = [
    ("us-east-1", Some(Partition::Aws)),
    ("ap-southeast-7", Some(Partition::Aws)),
    ("ap-northeast-1", Some(Partition::Aws)),
    ("mx-central-1", Some(Partition::Aws)),
    ("eu-south-2", Some(Partition::Aws)),
    ("eu-north-12", Some(Partition::Aws)),
    ("cn-northwest-1", Some(Partition::AwsCn)),
    ("us-gov-west-1", Some(Partition::AwsUsGov)),
    ("eusc-de-east-1", Some(Partition::AwsEusc)),
    ("us-east-01", None),
    ("us-east-0", None),
    ("us-east-123", None),
    ("us-giv-west-1", None),
    ("eu-gov-west-1", None),
    ("usa-east-1", None),
    ("abcd-xyz-central-99", None),
    ("eusc-east-1", None),
    ("eusc-deu-east-1", None),
    ("us-iso-east-1", None),
    ("us-isob-east-1", None),
    ("eu-iso-west-1", None),
    ("us-east-1a", None),
    ("us-west-2-lax-1a", None),
    ("us-east-1-wl1-bos-wlz-1", None),
    ("us-esat-1", None),
    ("us-east", None),
    ("US-EAST-1", None),
    ("us-east-1 ", None),
    ("", None),
];

/// `--region` asks `Partition::of_region`; spec asks the CRD's rules and the core, in a list and in an
/// ARN.
#[test]
fn a_region_is_one_for_the_flag_the_rules_and_the_core_or_for_none() {
    let schema = Schema::new().unwrap();
    for (region, partition) in REGIONS {
        assert_eq!(Partition::of_region(region).ok(), partition, "{region}");
        let its = partition.unwrap_or(Partition::Aws);
        let account = Account {
            id: "111122223333".into(),
            partition: its,
        };
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let arn = format!("arn:{its}:kms:{region}:111122223333:key/{id}");
        for spec in [
            json!({"principal": "HybridActivation", "hybrid": {"regions": [region]}}),
            json!({"sessionEncryption": {"kmsKeyArn": arn}}),
        ] {
            let (rules, core) = said_in(&schema, &spec, &account);
            assert_eq!(rules.is_empty(), partition.is_some(), "{spec}: {rules:?}");
            assert_eq!(core.is_empty(), partition.is_some(), "{spec}: {core:?}");
        }
    }
}

#[test]
fn a_spec_that_is_missing_or_null_is_an_empty_one_and_empty_fields_are_known() {
    let schema = Schema::new().unwrap();
    for rest in ["", "spec:\n", "spec: null\n", "spec: {}\n"] {
        let checked = schema.check(&document(&format!("metadata: {{name: web}}\n{rest}")), None);
        assert_eq!(
            checked.unwrap().spec,
            SessionManagerRoleSpec::default(),
            "{rest}"
        );
    }
    let empty = document("metadata: {name: web}\nspec:\n  sessionLogs:\n    cloudWatch:\n");
    let checked = schema.check(&empty, None).unwrap();
    assert_eq!(checked.empty, ["spec.sessionLogs.cloudWatch"]);
    assert_eq!(
        problems("metadata: {name: web, namespace: 123}\nspec: {}\n"),
        ["metadata.namespace: must be a text: put it in quotes"]
    );
    let keys = |n: usize| {
        format!(
            "metadata: {{name: web}}\nspec: {{tags: {{{}: a}}}}\n",
            "ж".repeat(n)
        )
    };
    assert_eq!(problems(&keys(128)), [""; 0]);
    assert_eq!(problems(&keys(129)).len(), 1);
}

/// What is in the cluster and unchanged is accepted, as the API server accepts it.
#[test]
fn what_was_there_before_is_not_judged_again() {
    let schema = Schema::new().unwrap();
    let older =
        json!({"metadata": {"name": "web"}, "spec": {"path": "/a b/", "role": {"name": "a b"}}});
    let kept =
        document("metadata: {name: web}\nspec: {path: /a b/, role: {name: a b, description: x}}\n");
    assert!(schema.check(&kept, Some(&older)).is_ok());
    assert_eq!(schema.check(&kept, None).unwrap_err().len(), 2);
}

/// The flags' form and the API server's rule are one.
#[test]
fn a_namespace_is_one_for_a_flag_and_for_a_document_or_for_none() {
    let form = Regex::new(forms::NAMESPACE.pattern).unwrap();
    let (longest, too_long) = ("a".repeat(63), "a".repeat(64));
    let nearly = [
        "team", "a-1", "0", "-a", "a-", "Team", "a.b", &longest, &too_long,
    ];
    for text in HOSTILE.iter().chain(&nearly) {
        let name = escaped(&json!(text).to_string());
        let found = problems(&format!(
            "metadata: {{name: web, namespace: {name}}}\nspec: {{}}\n"
        ));
        let max = usize::try_from(forms::NAMESPACE.max).unwrap();
        let fits = text.len() <= max && form.is_match(text);
        assert_eq!(found.is_empty(), fits, "{text:?}: {found:?}");
    }
}
