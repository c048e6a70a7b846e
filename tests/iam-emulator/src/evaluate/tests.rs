//! The rules of evaluation, each as a row that a wrong rule would fail.

use super::*;

const ROLE: &str = "arn:aws:iam::111122223333:role/ours/r";

fn request(action: &str, resource: &str, context: &str) -> Request {
    let keys: BTreeMap<String, Vec<String>> = serde_json::from_str(context).unwrap();
    let mut context = Context::default();
    for (key, values) in keys {
        context.set(&key, values);
    }
    Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        context,
    }
}

fn statement(statement: &str) -> Policy {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#)
        .parse()
        .unwrap_or_else(|error| panic!("{statement}: {error}"))
}

fn allows(policy: &Policy, request: &Request) -> bool {
    policy.verdict(request) == Some(Effect::Allow)
}

/// Service control policies, identity-based policies, the boundary; what comes of them.
type Row<'a> = (
    Vec<&'a Policy>,
    Vec<&'a Policy>,
    Option<&'a Policy>,
    Decision,
);

/// Which layer says what, in the order service control policies, identity-based policies, boundary.
#[test]
fn the_kinds_of_policies_together() {
    use By::{
        IdentityBasedPolicy as Identity, PermissionsBoundary as Boundary,
        ServiceControlPolicy as Scp,
    };
    let policy = |effect: &str, action: &str| {
        statement(&format!(
            r#"{{"Effect":"{effect}","Action":"{action}","Resource":"*"}}"#
        ))
    };
    let allow = policy("Allow", "iam:GetRole");
    let deny = policy("Deny", "iam:*");
    let other = policy("Allow", "s3:*");
    let explicit = |by| Decision::ExplicitDeny { by };
    let implicit = |by| Decision::ImplicitDeny { by };
    #[rustfmt::skip] // A table.
    let rows: Vec<Row<'_>> = vec![
        (vec![], vec![&allow], None, Decision::Allowed),
        (vec![], vec![&other, &allow], None, Decision::Allowed),
        (vec![], vec![], None, implicit(Identity)),
        (vec![], vec![&other], None, implicit(Identity)),
        (vec![], vec![&allow, &deny], None, explicit(Identity)),
        (vec![], vec![&allow], Some(&allow), Decision::Allowed),
        (vec![], vec![&allow], Some(&other), implicit(Boundary)),
        (vec![], vec![&allow], Some(&deny), explicit(Boundary)),
        // A boundary and an SCP give nothing.
        (vec![&allow], vec![&other], Some(&allow), implicit(Identity)),
        (vec![&allow], vec![&allow], Some(&allow), Decision::Allowed),
        // Every level has to allow, not just one.
        (vec![&allow, &other], vec![&allow], None, implicit(Scp)),
        (vec![&allow, &allow], vec![&allow], None, Decision::Allowed),
        (vec![&allow, &deny], vec![&allow], None, explicit(Scp)),
        // An explicit deny is said before any lack, wherever it is.
        (vec![&other], vec![&other], Some(&deny), explicit(Boundary)),
        (vec![&other], vec![&deny], None, explicit(Identity)),
        // The order among the kinds.
        (vec![&deny], vec![&deny], Some(&deny), explicit(Scp)),
        (vec![&allow], vec![&deny], Some(&deny), explicit(Identity)),
        (vec![&other], vec![&other], Some(&other), implicit(Scp)),
        (vec![&allow], vec![&other], Some(&other), implicit(Identity)),
    ];
    let request = request("iam:GetRole", ROLE, "{}");
    for (number, (scps, identity, boundary, expected)) in rows.into_iter().enumerate() {
        let in_force = InForce {
            identity,
            boundary,
            scps,
        };
        assert_eq!(in_force.judge(&request), expected, "row {number}");
    }
}

/// A statement without its effect, an action, a resource: whether it applies.
#[rustfmt::skip] // A table.
const STATEMENTS: &[(&str, &str, &str, bool)] = &[
    // Actions: in any case, with wildcards, as a whole.
    (r#""Action":"iam:GetRole","Resource":"*""#, "iam:GetRole", ROLE, true),
    (r#""Action":"IAM:getrole","Resource":"*""#, "iam:GetRole", ROLE, true),
    (r#""Action":"iam:Get*","Resource":"*""#, "iam:GetRole", ROLE, true),
    (r#""Action":"iam:*Role","Resource":"*""#, "iam:GetRole", ROLE, true),
    (r#""Action":"iam:?etRole","Resource":"*""#, "iam:GetRole", ROLE, true),
    (r#""Action":"iam:?GetRole","Resource":"*""#, "iam:GetRole", ROLE, false),
    (r#""Action":"iam:Get","Resource":"*""#, "iam:GetRole", ROLE, false),
    (r#""Action":"iam:GetRole","Resource":"*""#, "iam:GetRolePolicy", ROLE, false),
    (r#""Action":"*","Resource":"*""#, "iam:GetRole", ROLE, true),
    (r#""Action":"s3:*","Resource":"*""#, "iam:GetRole", ROLE, false),
    (r#""Action":["s3:*","iam:GetRole"],"Resource":"*""#, "iam:GetRole", ROLE, true),
    (r#""NotAction":"iam:getrole","Resource":"*""#, "iam:GetRole", ROLE, false),
    (r#""NotAction":["s3:*","iam:Put*"],"Resource":"*""#, "iam:GetRole", ROLE, true),
    (r#""NotAction":["s3:*","iam:Get*"],"Resource":"*""#, "iam:GetRole", ROLE, false),
    // Resources: case counts, and `*` reaches across slashes and backtracks.
    (r#""Action":"*","Resource":"arn:aws:iam::111122223333:role/ours/r""#, "iam:GetRole", ROLE, true),
    (r#""Action":"*","Resource":"arn:aws:iam::111122223333:role/ours/R""#, "iam:GetRole", ROLE, false),
    (r#""Action":"*","Resource":"arn:aws:iam::111122223333:role/ours/*""#, "iam:GetRole", ROLE, true),
    (r#""Action":"*","Resource":"arn:aws:iam::111122223333:role/*""#, "iam:GetRole", ROLE, true),
    (r#""Action":"*","Resource":"arn:aws:iam::111122223333:role/ours/?""#, "iam:GetRole", ROLE, true),
    (r#""Action":"*","Resource":"arn:aws:iam::111122223333:role/ours/r?""#, "iam:GetRole", ROLE, false),
    (r#""Action":"*","Resource":"arn:aws:iam::111122223333:role/ours/r*""#, "iam:GetRole", ROLE, true),
    (r#""Action":"*","Resource":"arn:aws:iam::*:role/*r""#, "iam:GetRole", ROLE, true),
    (r#""Action":"*","Resource":"arn:aws:iam::*:policy/*""#, "iam:GetRole", ROLE, false),
    (r#""Action":"*","Resource":"arn:aws:iam::111122223333:role/theirs/*""#, "iam:GetRole", ROLE, false),
    (r#""Action":"*","Resource":["arn:aws:s3:::b","arn:aws:iam::*:role/*"]"#, "iam:GetRole", ROLE, true),
    (r#""Action":"*","NotResource":"arn:aws:iam::*:role/ours/*""#, "iam:GetRole", ROLE, false),
    (r#""Action":"*","NotResource":["arn:aws:iam::*:role/a","arn:aws:iam::*:role/b"]"#, "iam:GetRole", ROLE, true),
    // A variable without a value names nothing, and leaves nothing out.
    (r#""Action":"*","Resource":"arn:aws:iam::111122223333:role/${a:absent}*""#, "iam:GetRole", ROLE, false),
    (r#""Action":"*","NotResource":"arn:aws:iam::111122223333:role/${a:absent}*""#, "iam:GetRole", ROLE, true),
    // An action without a resource is asked for on `*`, which an ARN does not name.
    (r#""Action":"*","Resource":"*""#, "iam:ListRoles", "*", true),
    (r#""Action":"*","Resource":"arn:aws:iam::*:role/*""#, "iam:ListRoles", "*", false),
    // Action and resource belong together.
    (r#""Action":"iam:GetRole","Resource":"arn:aws:s3:::b""#, "iam:GetRole", ROLE, false),
];

#[test]
fn actions_and_resources() {
    for (words, action, resource, expected) in STATEMENTS {
        let policy = statement(&format!(r#"{{"Effect":"Allow",{words}}}"#));
        let request = request(action, resource, "{}");
        assert_eq!(allows(&policy, &request), *expected, "{words} {resource}");
    }
}

/// Conditions, the context, whether they hold.
#[rustfmt::skip] // A table.
const CONDITIONS: &[(&str, &str, bool)] = &[
    // Strings: case counts, no wildcards, any of the values.
    (r#""StringEquals":{"a:k":"v"}"#, r#"{"a:k":["v"]}"#, true),
    (r#""StringEquals":{"a:k":"v"}"#, r#"{"a:k":["V"]}"#, false),
    (r#""StringEquals":{"a:k":"v*"}"#, r#"{"a:k":["vw"]}"#, false),
    (r#""StringEquals":{"a:k":"v*"}"#, r#"{"a:k":["v*"]}"#, true),
    (r#""StringEquals":{"a:k":["u","v"]}"#, r#"{"a:k":["v"]}"#, true),
    (r#""StringEquals":{"a:k":"v"}"#, "{}", false),
    (r#""StringNotEquals":{"a:k":"v"}"#, r#"{"a:k":["v"]}"#, false),
    (r#""StringNotEquals":{"a:k":"v"}"#, r#"{"a:k":["V"]}"#, true),
    (r#""StringNotEquals":{"a:k":["u","v"]}"#, r#"{"a:k":["v"]}"#, false),
    (r#""StringNotEquals":{"a:k":"v"}"#, "{}", true),
    (r#""StringEqualsIgnoreCase":{"a:k":"v"}"#, r#"{"a:k":["V"]}"#, true),
    (r#""StringEqualsIgnoreCase":{"a:k":"v*"}"#, r#"{"a:k":["vw"]}"#, false),
    (r#""StringEqualsIgnoreCase":{"a:k":"v"}"#, "{}", false),
    (r#""StringNotEqualsIgnoreCase":{"a:k":"v"}"#, r#"{"a:k":["V"]}"#, false),
    (r#""StringNotEqualsIgnoreCase":{"a:k":"v"}"#, r#"{"a:k":["w"]}"#, true),
    (r#""StringNotEqualsIgnoreCase":{"a:k":"v"}"#, "{}", true),
    (r#""StringLike":{"a:k":"v*x"}"#, r#"{"a:k":["vwx"]}"#, true),
    (r#""StringLike":{"a:k":"v?"}"#, r#"{"a:k":["v"]}"#, false),
    (r#""StringLike":{"a:k":"V*"}"#, r#"{"a:k":["v"]}"#, false),
    (r#""StringLike":{"a:k":"v*"}"#, "{}", false),
    (r#""StringLike":{"a:k":"*a*b"}"#, r#"{"a:k":["xaxbab"]}"#, true),
    (r#""StringLike":{"a:k":"*a*b"}"#, r#"{"a:k":["xaxba"]}"#, false),
    (r#""StringNotLike":{"a:k":"v*"}"#, r#"{"a:k":["vw"]}"#, false),
    (r#""StringNotLike":{"a:k":"v*"}"#, r#"{"a:k":["w"]}"#, true),
    (r#""StringNotLike":{"a:k":"v*"}"#, "{}", true),
    // ARNs: part by part; the last part has the rest.
    (r#""ArnLike":{"a:k":"arn:aws:iam::*:role/r*"}"#, r#"{"a:k":["arn:aws:iam::1:role/r2"]}"#, true),
    (r#""ArnEquals":{"a:k":"arn:aws:iam::*:role/r*"}"#, r#"{"a:k":["arn:aws:iam::1:role/r2"]}"#, true),
    (r#""ArnLike":{"a:k":"arn:aws:iam::*:role/r"}"#, r#"{"a:k":["arn:aws:iam::1:x:role/r"]}"#, false),
    (r#""StringLike":{"a:k":"arn:aws:iam::*:role/r"}"#, r#"{"a:k":["arn:aws:iam::1:x:role/r"]}"#, true),
    (r#""ArnLike":{"a:k":"arn:aws:logs:*:*:*"}"#, r#"{"a:k":["arn:aws:logs:r:1:log-group:g:s"]}"#, true),
    (r#""ArnLike":{"a:k":"arn:aws:logs:*:*:log-group:*:s"}"#, r#"{"a:k":["arn:aws:logs:r:1:log-group:g:s"]}"#, true),
    (r#""ArnLike":{"a:k":"arn:aws:iam::1:role/R"}"#, r#"{"a:k":["arn:aws:iam::1:role/r"]}"#, false),
    (r#""ArnLike":{"a:k":"arn:aws:iam::*:*"}"#, r#"{"a:k":["no ARN"]}"#, false),
    (r#""ArnLike":{"a:k":"arn:aws:iam::*:*"}"#, r#"{"a:k":["arn:aws:iam"]}"#, false),
    (r#""ArnLike":{"a:k":"arn:aws:iam::*:*"}"#, "{}", false),
    (r#""ArnNotLike":{"a:k":"arn:aws:iam::*:role/r"}"#, r#"{"a:k":["arn:aws:iam::1:role/r"]}"#, false),
    (r#""ArnNotEquals":{"a:k":"arn:aws:iam::*:role/r"}"#, r#"{"a:k":["arn:aws:iam::1:role/r"]}"#, false),
    (r#""ArnNotEquals":{"a:k":"arn:aws:iam::*:role/r"}"#, r#"{"a:k":["arn:aws:iam::1:role/s"]}"#, true),
    (r#""ArnNotLike":{"a:k":"arn:aws:iam::*:role/r"}"#, "{}", true),
    // Bool, also without quotes.
    (r#""Bool":{"a:k":"true"}"#, r#"{"a:k":["true"]}"#, true),
    (r#""Bool":{"a:k":true}"#, r#"{"a:k":["True"]}"#, true),
    (r#""Bool":{"a:k":"false"}"#, r#"{"a:k":["true"]}"#, false),
    (r#""Bool":{"a:k":"false"}"#, "{}", false),
    (r#""BoolIfExists":{"a:k":"true"}"#, "{}", true),
    // Null.
    (r#""Null":{"a:k":"true"}"#, "{}", true),
    (r#""Null":{"a:k":"true"}"#, r#"{"a:k":["v"]}"#, false),
    (r#""Null":{"a:k":false}"#, "{}", false),
    (r#""Null":{"a:k":false}"#, r#"{"a:k":["v"]}"#, true),
    (r#""Null":{"a:k":"true"}"#, r#"{"a:k":[]}"#, true),
    // IfExists: holds without the key, and is the plain operator with it.
    (r#""StringEqualsIfExists":{"a:k":"v"}"#, "{}", true),
    (r#""StringEqualsIfExists":{"a:k":"v"}"#, r#"{"a:k":["w"]}"#, false),
    (r#""StringEqualsIfExists":{"a:k":"v"}"#, r#"{"a:k":["v"]}"#, true),
    (r#""StringNotLikeIfExists":{"a:k":"v*"}"#, r#"{"a:k":["vw"]}"#, false),
    (r#""ArnLikeIfExists":{"a:k":"arn:aws:iam::1:role/r"}"#, "{}", true),
    // ForAnyValue: one value is enough; without the key it does not hold, negated or not.
    (r#""ForAnyValue:StringEquals":{"a:k":["u","v"]}"#, r#"{"a:k":["w","v"]}"#, true),
    (r#""ForAnyValue:StringEquals":{"a:k":["u","v"]}"#, r#"{"a:k":["w","x"]}"#, false),
    (r#""ForAnyValue:StringEquals":{"a:k":"v"}"#, "{}", false),
    (r#""ForAnyValue:StringNotEquals":{"a:k":"v"}"#, "{}", false),
    (r#""ForAnyValue:StringNotEquals":{"a:k":"v"}"#, r#"{"a:k":["v","w"]}"#, true),
    (r#""ForAnyValue:StringNotEquals":{"a:k":["v","w"]}"#, r#"{"a:k":["v","w"]}"#, false),
    (r#""ForAnyValue:StringEqualsIgnoreCase":{"a:k":"V"}"#, r#"{"a:k":["u","v"]}"#, true),
    (r#""ForAnyValue:StringLike":{"a:k":"v*"}"#, r#"{"a:k":["u","vw"]}"#, true),
    (r#""ForAnyValue:StringEqualsIfExists":{"a:k":"v"}"#, "{}", false),
    (r#""ForAnyValue:StringEqualsIfExists":{"a:k":"v"}"#, r#"{"a:k":["u","v"]}"#, true),
    (r#""ForAllValues:StringEqualsIfExists":{"a:k":"v"}"#, "{}", true),
    (r#""ForAllValues:StringEqualsIfExists":{"a:k":"v"}"#, r#"{"a:k":["u","v"]}"#, false),
    (r#""ForAnyValue:Bool":{"a:k":"true"}"#, r#"{"a:k":["false","true"]}"#, true),
    // ForAllValues: every value; holds without the key, and for a key without values.
    (r#""ForAllValues:StringEquals":{"a:k":["u","v"]}"#, r#"{"a:k":["v","u"]}"#, true),
    (r#""ForAllValues:StringEquals":{"a:k":["u","v"]}"#, r#"{"a:k":["v","w"]}"#, false),
    (r#""ForAllValues:StringEquals":{"a:k":"v"}"#, "{}", true),
    (r#""ForAllValues:StringEquals":{"a:k":"v"}"#, r#"{"a:k":[]}"#, true),
    (r#""ForAllValues:StringNotEquals":{"a:k":"v"}"#, "{}", true),
    (r#""ForAllValues:StringNotEquals":{"a:k":"v"}"#, r#"{"a:k":["v","w"]}"#, false),
    (r#""ForAllValues:StringNotEquals":{"a:k":"v"}"#, r#"{"a:k":["u","w"]}"#, true),
    (r#""ForAllValues:ArnLike":{"a:k":"arn:aws:iam::*:role/r"}"#, r#"{"a:k":["arn:aws:iam::1:role/r","arn:aws:iam::1:role/s"]}"#, false),
    // Keys in any case; the part behind the slash too.
    (r#""StringEquals":{"AWS:requesttag/K":"v"}"#, r#"{"aws:RequestTag/k":["v"]}"#, true),
    // All keys and all operators have to hold.
    (r#""StringEquals":{"a:k":"v","a:l":"w"}"#, r#"{"a:k":["v"],"a:l":["w"]}"#, true),
    (r#""StringEquals":{"a:k":"v","a:l":"w"}"#, r#"{"a:k":["v"],"a:l":["x"]}"#, false),
    (r#""StringEquals":{"a:k":"v"},"Null":{"a:l":"true"}"#, r#"{"a:k":["v"],"a:l":["x"]}"#, false),
    // Variables.
    (r#""StringEquals":{"a:k":"${aws:PrincipalAccount}"}"#, r#"{"a:k":["1"],"aws:PrincipalAccount":["1"]}"#, true),
    (r#""StringEquals":{"a:k":"${aws:PrincipalAccount}"}"#, r#"{"a:k":["1"],"aws:PrincipalAccount":["2"]}"#, false),
    (r#""StringEquals":{"a:k":"x-${AWS:principaltag/T}-y"}"#, r#"{"a:k":["x-t-y"],"aws:PrincipalTag/t":["t"]}"#, true),
    (r#""StringLike":{"a:k":"${aws:username}*"}"#, r#"{"a:k":["me.too"],"aws:username":["me"]}"#, true),
    (r#""StringLike":{"a:k":"${aws:username}"}"#, r#"{"a:k":["me"],"aws:username":["*"]}"#, false),
    (r#""ArnEquals":{"a:k":"${aws:PrincipalArn}"}"#, r#"{"a:k":["arn:aws:iam::1:role/r"],"aws:PrincipalArn":["arn:aws:iam::1:role/r"]}"#, true),
    (r#""ArnEquals":{"a:k":"${aws:PrincipalArn}"}"#, r#"{"a:k":["arn:aws:iam::1:role/r"],"aws:PrincipalArn":["arn:aws:iam::1:role/s"]}"#, false),
    (r#""StringEquals":{"a:k":"${a:absent}"}"#, r#"{"a:k":["${a:absent}"]}"#, false),
    (r#""StringNotEquals":{"a:k":"${a:absent}"}"#, r#"{"a:k":["v"]}"#, true),
    (r#""StringNotLike":{"a:k":["${a:absent}*","v"]}"#, r#"{"a:k":["v"]}"#, false),
    (r#""StringLike":{"a:k":["${a:absent}*","v"]}"#, r#"{"a:k":["v"]}"#, true),
    (r#""StringEquals":{"a:k":"${a:l}"}"#, r#"{"a:k":["v"],"a:l":["v","w"]}"#, false),
    (r#""StringEquals":{"a:k":"${a:l, 'v'}"}"#, r#"{"a:k":["v"]}"#, true),
    (r#""StringEquals":{"a:k":"${a:l, 'v'}"}"#, r#"{"a:k":["v"],"a:l":["w"]}"#, false),
    (r#""StringEquals":{"a:k":"${a:l, 'v'}"}"#, r#"{"a:k":["v"],"a:l":["w","x"]}"#, false),
    (r#""StringLike":{"a:k":"a${*}b"}"#, r#"{"a:k":["a*b"]}"#, true),
    (r#""StringLike":{"a:k":"a${*}b"}"#, r#"{"a:k":["axb"]}"#, false),
    (r#""StringLike":{"a:k":"a${?}b"}"#, r#"{"a:k":["axb"]}"#, false),
    (r#""StringLike":{"a:k":"a${?}b"}"#, r#"{"a:k":["a?b"]}"#, true),
    (r#""StringEquals":{"a:k":"${$}{a:l}$"}"#, r#"{"a:k":["${a:l}$"],"a:l":["v"]}"#, true),
];

#[test]
fn conditions() {
    for (condition, context, expected) in CONDITIONS {
        let policy = statement(&format!(
            r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{{condition}}}}}"#
        ));
        let request = request("iam:GetRole", ROLE, context);
        assert_eq!(
            allows(&policy, &request),
            *expected,
            "{condition} {context}"
        );
    }
}

#[test]
fn variables_in_resources_and_only_in_the_newer_language() {
    let document = |version: &str| -> Policy {
        let text = format!(
            r#"{{{version}"Statement":{{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::111122223333:role/${{aws:PrincipalTag/team}}/*"}}}}"#
        );
        text.parse().unwrap()
    };
    let new = document(r#""Version":"2012-10-17","#);
    let old = document(r#""Version":"2008-10-17","#);
    let none = document("");
    let of_team = |team| {
        let context = format!(r#"{{"aws:PrincipalTag/team":["{team}"]}}"#);
        request("iam:GetRole", ROLE, &context)
    };
    let (ours, theirs) = (of_team("ours"), of_team("theirs"));
    let literal = request(
        "iam:GetRole",
        "arn:aws:iam::111122223333:role/${aws:PrincipalTag/team}/r",
        r#"{"aws:PrincipalTag/team":["ours"]}"#,
    );
    for (policy, request, expected) in [
        (&new, &ours, true),
        (&new, &theirs, false),
        (&new, &literal, false),
        (&old, &ours, false),
        (&old, &literal, true),
        (&none, &ours, false),
        (&none, &literal, true),
    ] {
        assert_eq!(allows(policy, request), expected, "{policy:?} {request:?}");
    }
}

#[test]
fn a_deny_wins_within_a_policy_whatever_the_order() {
    let allow = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    let deny = r#"{"Effect":"Deny","Action":"iam:Get*","Resource":"*","Condition":{"StringEquals":{"a:k":"v"}}}"#;
    for both in [format!("{allow},{deny}"), format!("{deny},{allow}")] {
        let policy = statement(&both);
        let denied = request("iam:GetRole", ROLE, r#"{"a:k":["v"]}"#);
        assert_eq!(policy.verdict(&denied), Some(Effect::Deny));
        let allowed = request("iam:GetRole", ROLE, r#"{"a:k":["w"]}"#);
        assert_eq!(policy.verdict(&allowed), Some(Effect::Allow));
    }
}

/// What is no policy, and a word of the reason.
#[rustfmt::skip] // A table.
const REFUSED: &[(&str, &str)] = &[
    ("{", "EOF"),
    (r#"{"Version":"2012-10-17"}"#, "Statement"),
    (r#"{"Version":"2012-10-17","Statement":[]}"#, "no statements"),
    (r#"{"Version":"2020-01-01","Statement":[S]}"#, "2020-01-01"),
    (r#"{"Statement":[S],"Extra":1}"#, "Extra"),
    (r#"{"Statement":[S],"Statement":[S]}"#, "duplicate"),
    (r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}]}"#, "Principal"),
    (r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Conditions":{}}]}"#, "Conditions"),
    (r#"{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}"#, "allow"),
    (r#"{"Statement":[{"Action":"*","Resource":"*"}]}"#, "Effect"),
    (r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#, "Action"),
    (r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#, "Resource"),
    (r#"{"Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}"#, "Action"),
    (r#"{"Statement":[{"Effect":"Allow","Action":"*","NotAction":"iam:*","Resource":"*"}]}"#, "NotAction"),
    (r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}]}"#, "NotResource"),
    (r#"{"Statement":[{"Effect":"Allow","Action":"GetRole","Resource":"*"}]}"#, "vendor"),
    (r#"{"Statement":[{"Effect":"Allow","Action":"iam:${a:b}","Resource":"*"}]}"#, "colon"),
    (r#"{"Statement":[{"Effect":"Allow","Action":true,"Resource":"*"}]}"#, "boolean"),
    (r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"role/r"}]}"#, "ARN"),
    (r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::${aws:PrincipalAccount}:role/r"}]}"#, "fifth colon"),
    (r#"C{"NumericEquals":{"a:k":"1"}}"#, "NumericEquals"),
    (r#"C{"StringMatches":{"a:k":"v"}}"#, "StringMatches"),
    (r#"C{"stringequals":{"a:k":"v"}}"#, "stringequals"),
    (r#"C{"ForSomeValues:StringEquals":{"a:k":"v"}}"#, "ForSomeValues"),
    (r#"C{"NullIfExists":{"a:k":"true"}}"#, "NullIfExists"),
    (r#"C{"ForAllValues:Null":{"a:k":"true"}}"#, "ForAllValues:Null"),
    (r#"C{"Null":{"a:k":"yes"}}"#, "yes"),
    (r#"C{"Bool":{"a:k":"1"}}"#, "neither"),
    (r#"C{"StringEquals":{"k":"v"}}"#, "not a condition key"),
    (r#"C{"StringEquals":{"a:k":[]}}"#, "no values"),
    (r#"C{"StringEquals":{"a:k":1}}"#, "integer"),
    (r#"C{"StringEquals":{"a:k":"v","a:k":"w"}}"#, "twice"),
    (r#"C{"StringEquals":{"a:k":"v"},"StringEquals":{"a:l":"w"}}"#, "twice"),
    (r#"C{"StringEquals":{"a:k":"${a:l"}}"#, "no end"),
    (r#"C{"StringEquals":{"a:k":"${}"}}"#, "not a variable"),
    (r#"C{"StringEquals":{"a:k":"${a:l, v}"}}"#, "not a variable"),
];

#[test]
fn what_is_not_known_is_refused() {
    let good = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    for (text, word) in REFUSED {
        let text = match text.strip_prefix('C') {
            Some(condition) => format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Sid":"x","Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}}}"#
            ),
            None => text.replace("[S]", &format!("[{good}]")),
        };
        let error = text.parse::<Policy>().map_err(|error| error.to_string());
        let error = error.expect_err(&text);
        assert!(error.contains(word), "{text}: {error}");
    }
    let text = format!(r#"{{"Id":"x","Statement":{good}}}"#);
    assert!(
        text.parse::<Policy>().is_ok(),
        "an object as well as a list"
    );
}
