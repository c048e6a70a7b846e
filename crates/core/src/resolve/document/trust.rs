//! The role's trust policy. In: the validated spec; out: a [`Document`]. No IO.

use super::{Document, Principal, Statement};
use crate::resolve::validate::{TrustedPrincipal, ValidSpec};

/// Who may assume the role: EC2, or Systems Manager for servers of this account's activations
/// (the conditions keep other accounts' activations out; they don't belong on EC2's trust).
pub fn trust_policy(spec: &ValidSpec) -> Document {
    let assume = |service: &str| {
        Statement::allow::<_, String>(["sts:AssumeRole"], [])
            .principal(Principal::Service(service.to_owned()))
    };
    let account = &spec.account;
    let statement = match &spec.principal {
        TrustedPrincipal::Ec2 { service } => assume(service),
        TrustedPrincipal::HybridActivation { regions } => {
            let source =
                |region: &str| format!("arn:{}:ssm:{region}:{}:*", account.partition, account.id);
            let sources: Vec<String> = if regions.is_empty() {
                vec![source("*")]
            } else {
                regions.iter().map(|r| source(r)).collect()
            };
            assume("ssm.amazonaws.com")
                .when("StringEquals", "aws:SourceAccount", [account.id.as_str()])
                .when("ArnEquals", "aws:SourceArn", sources)
        }
    };
    Document {
        statements: vec![statement],
    }
}
