//! Managed policies that spec and the operator name: of the role's own account or of AWS, and not the
//! object's own. An account may not be known yet.

use serde_json::json;

use super::*;
use crate::account::UNKNOWN_ACCOUNT;

/// A plan without AWS may not know the account; `--account-id` says it.
#[test]
fn policies_are_of_any_account_while_the_roles_own_is_not_known() {
    let spec: SessionManagerRoleSpec = serde_json::from_value(json!({
        "role": { "permissionsBoundaryArn": "arn:aws:iam::999900001111:policy/cap" },
        "additionalPolicyArns": ["arn:aws:iam::999900001111:policy/x"],
    }))
    .unwrap();
    let mut limits = Limits::new("test");
    limits.allowed_additional_policies = vec!["*".to_owned()];
    let names = Names::resolve(&subject(), Some(&spec), None, &limits, None);
    let unknown = Account {
        id: UNKNOWN_ACCOUNT.to_owned(),
        ..account()
    };
    assert!(validate(&spec, &subject(), &names, &unknown, &limits).is_ok());
    let problems = validate(&spec, &subject(), &names, &account(), &limits).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

/// The flag is checked when the account is known, which the command line may not know at start.
#[test]
fn an_operators_boundary_that_iam_refuses_is_the_operators_problem() {
    for (boundary, says) in [
        (
            "arn:aws:iam::999900001111:policy/cap",
            "the policy belongs to account 999900001111, the role to 111122223333: ",
        ),
        (
            "arn:aws-cn:iam::111122223333:policy/cap",
            "the ARN lies in partition aws-cn, the role in aws: ",
        ),
        (
            "arn:aws:iam::111122223333:policy/session-manager/Team.Web",
            "is this object's own policy, which can't bound the role: ",
        ),
    ] {
        let mut limits = Limits::new("test");
        limits.permissions_boundary_arn = Some(boundary.to_owned());
        let found = problems("{}", &limits);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("--permissions-boundary-arn: "),
            "{found:?}"
        );
        assert!(found[0].contains(says), "{found:?}");
        assert!(
            found[0].to_lowercase().contains("ask the operator"),
            "{found:?}"
        );
    }
    let mut limits = Limits::new("test");
    limits.permissions_boundary_arn = Some("arn:aws:iam::aws:policy/PowerUserAccess".to_owned());
    assert!(check("{}", &limits).is_ok());
}
