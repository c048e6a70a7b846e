//! AWS's real texts in, whole messages out; and that nothing of others gets into any message.

mod foreign;
mod planted;
mod table;

use super::*;

const ACCOUNT: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/session-manager/team.web";
const POLICY: &str = "arn:aws:iam::111122223333:policy/session-manager/team.web";
const PROFILE: &str = "arn:aws:iam::111122223333:instance-profile/session-manager/team.web";

/// A call that AWS refused with this text.
fn refused(class: FailureClass, action: &str, resource: &str, text: &str) -> Failure {
    let tried = Tried {
        class,
        action,
        resource,
        account: None,
    };
    Failure {
        class,
        action: action.to_owned(),
        resource: resource.to_owned(),
        code: format!("{class:?}").into(),
        said: Said::by_aws(&tried, text),
        way_out: None,
    }
}

/// The log and the program have what people do not read.
#[test]
fn the_full_text_leaves_by_one_way_only() {
    let text = table::denied(
        "iam:CreateRole",
        ROLE,
        "with an explicit deny in a service control policy: arn:aws:organizations::999988887777:policy/o-exampleorgid/service_control_policy/p-examplepolicy",
    );
    let failure = refused(FailureClass::AccessDenied, "iam:CreateRole", ROLE, &text);
    assert_eq!(failure.said.full(), text);
    assert!(failure.said.is_reduced());
    let printed = format!(
        "{failure} {failure:?} {} {:?} {}",
        failure.said,
        failure.said,
        failure.while_it_may_pass()
    );
    for theirs in ["999988887777", "o-exampleorgid", "p-examplepolicy", "web-1"] {
        assert!(!printed.contains(theirs), "{theirs}: {printed}");
    }
    assert_eq!(
        failure.denial(),
        Denial {
            by: Some(PolicyKind::Organization),
            explicit: true
        }
    );
}

/// A request that AWS quotes holds the token of the session.
#[test]
fn no_secret_is_in_the_log() {
    let text = "The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this request should have been\n'POST\nx-amz-security-token:SECRET'";
    let failure = refused(FailureClass::Credentials, "iam:CreateRole", ROLE, text);
    assert!(!failure.said.full().contains("SECRET"));
    assert!(failure.said.full().ends_with("you provided."));
}

#[test]
fn the_own_sentence_around_awss_words_keeps_both_texts() {
    let tried = Tried {
        class: FailureClass::Unavailable,
        action: "",
        resource: "",
        account: Some(ACCOUNT),
    };
    let said = Said::by_aws(&tried, "account 444455556666 of 111122223333");
    let said = said.within(|said| format!("AWS failed: {said}"));
    assert_eq!(
        said.shown(),
        "AWS failed: account [account id not shown] of 111122223333"
    );
    assert_eq!(
        said.full(),
        "AWS failed: account 444455556666 of 111122223333"
    );
}

#[test]
fn sts_says_in_short_who_denied() {
    let role = "arn:aws:iam::111122223333:role/controller";
    let who = "User: arn:aws:sts::444455556666:assumed-role/node/i-0123456789abcdef0 is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/controller";
    for (text, expected) in [
        (
            "Not authorized to perform sts:AssumeRoleWithWebIdentity".to_owned(),
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ),
        (who.to_owned(), "Not authorized to perform sts:AssumeRole"),
        (
            format!("{who} with an explicit deny in a resource control policy: arn:aws:organizations::999988887777:policy/o-exampleorgid/resource_control_policy/p-examplepolicy"),
            "Not authorized to perform sts:AssumeRole because of an explicit deny in an organization policy (SCP or RCP)",
        ),
        (
            "User: arn:aws:iam::444455556666:user/John is not authorized to perform: sts:AssumeRole because no role trust policy allows the sts:AssumeRole action".to_owned(),
            "Not authorized to perform sts:AssumeRole because no resource-based policy allows it",
        ),
        (
            format!("{who} because no VPC endpoint policy allows the sts:AssumeRole action"),
            "Not authorized to perform sts:AssumeRole because no VPC endpoint policy allows it",
        ),
        (
            format!("{who} with an explicit deny"),
            "Not authorized to perform sts:AssumeRole because of an explicit deny",
        ),
        (String::new(), "Not authorized to perform sts:AssumeRole"),
    ] {
        let said = Said::by_sts_that_denied("sts:AssumeRole", role, &text);
        assert_eq!(said.shown(), expected);
        assert_eq!(said.full(), text);
    }
}

/// An object with no path of its own has only its own name below `/`.
#[test]
fn at_the_root_only_the_own_name_is_shown() {
    let tried = "arn:aws:iam::111122223333:role/web";
    let said = |text: &str| {
        refused(FailureClass::Refused, "iam:TagRole", tried, text)
            .said
            .to_string()
    };
    let own = "arn:aws:iam::111122223333:instance-profile/web";
    assert_eq!(said(own), own);
    for other in [
        "arn:aws:iam::111122223333:policy/HRPolicy",
        "arn:aws:iam::111122223333:role/team/web",
        "arn:aws:iam::444455556666:role/web",
        "arn:aws:sts::111122223333:assumed-role/web/session",
    ] {
        assert_eq!(said(other), "[ARN not shown]", "{other}");
    }
}

/// However long the names are, the message fits into an event, and what to do is not cut off.
#[test]
fn two_long_resources_fit_into_an_event() {
    let path = "p".repeat(510);
    let profile = format!("arn:aws:iam::111122223333:instance-profile/{path}/team.web");
    let role = format!("arn:aws:iam::111122223333:role/{path}/team.web");
    let text = table::denied(
        "iam:PassRole",
        &role,
        "because no identity-based policy allows the iam:PassRole action",
    );
    let action = "iam:AddRoleToInstanceProfile";
    let message = refused(FailureClass::AccessDenied, action, &profile, &text).to_string();
    assert!(message.len() <= 1000, "{}", message.len());
    assert!(
        message.ends_with(
            "access denied by the controller's own policy. Allow iam:PassRole for the controller's role (smr controller-policy prints the policy)"
        ),
        "{message}"
    );
}
