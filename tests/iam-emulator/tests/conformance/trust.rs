//! Trust policies, and inline policies of roles. Does IO.

use crate::support::{
    DOCUMENT, OTHER, SSM_TRUST, TRUST, document_of, hold, is_encoded, json, parsed, refused, rows,
    same, trust_of,
};

/// A trust policy with this principal.
fn trusting(principal: &str) -> String {
    TRUST.replace(r#"{"Service":"ec2.amazonaws.com"}"#, principal)
}

rows! {
    "trust-encoded": "GetRole answers the trust policy percent-encoded after RFC 3986." @ "API GetRole" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        hold!(is_encoded(role.assume_role_policy_document()));
    }
    "trust-same": "GetRole answers the trust policy that CreateRole got." @ "API GetRole" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        same!(parsed(role.assume_role_policy_document())?, json(TRUST));
    }
    "trust-update": "UpdateAssumeRolePolicy replaces the trust policy." @ "API UpdateAssumeRolePolicy" => |aws| {
        let name = aws.role("r").await?;
        aws.iam.update_assume_role_policy().role_name(&name).policy_document(SSM_TRUST).send().await?;
        same!(parsed(aws.get_role(&name).await?.assume_role_policy_document())?, json(SSM_TRUST));
    }
    "trust-update-missing": "UpdateAssumeRolePolicy of what is not there is NoSuchEntity." @ "API UpdateAssumeRolePolicy, Errors" => |aws| {
        refused(aws.iam.update_assume_role_policy().role_name(aws.name("r")).policy_document(TRUST).send().await, 404, "NoSuchEntity")?;
    }
    "trust-update-malformed": "UpdateAssumeRolePolicy refuses what is no trust policy, and the old one stays." @ "API UpdateAssumeRolePolicy, Errors" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.iam.update_assume_role_policy().role_name(&name).policy_document(DOCUMENT).send().await, 400, "MalformedPolicyDocument")?;
        same!(parsed(aws.get_role(&name).await?.assume_role_policy_document())?, json(TRUST));
    }
    "trust-not-json": "A trust policy is JSON." @ "API CreateRole, MalformedPolicyDocument" => |aws| {
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document("{oops").send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-no-principal": "A trust policy names a principal." @ "User Guide: AWS JSON policy elements, Principal" => |aws| {
        let trust = TRUST.replace(r#""Principal":{"Service":"ec2.amazonaws.com"},"#, "");
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document(trust).send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-resource": "A trust policy has no Resource: the role is the resource." @ "User Guide: AWS JSON policy elements, Resource" => |aws| {
        let trust = TRUST.replace(r#""Effect""#, r#""Resource":"*","Effect""#);
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document(trust).send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-not-sts": "A trust policy allows actions of STS only." @ "User Guide: Modify a role, trust policies" => |aws| {
        let trust = TRUST.replace("sts:AssumeRole", "s3:GetObject");
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document(trust).send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-no-action": "A statement names actions." @ "User Guide: AWS JSON policy elements, Action" => |aws| {
        let trust = TRUST.replace(r#","Action":"sts:AssumeRole""#, "");
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document(trust).send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-no-effect": "A statement says Allow or Deny." @ "User Guide: AWS JSON policy elements, Effect" => |aws| {
        let trust = TRUST.replace(r#""Effect":"Allow","#, "");
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document(trust).send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-ec2-eu": "ec2.amazonaws.eu is no principal, in no partition." @ "User Guide: AWS JSON policy elements, service principals" => |aws| {
        let trust = trusting(r#"{"Service":"ec2.amazonaws.eu"}"#);
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document(trust).send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-unknown-service": "A service principal has to be one that exists." @ "User Guide: AWS JSON policy elements, service principals" => |aws| {
        let trust = trusting(r#"{"Service":"no-such-service-here.amazonaws.com"}"#);
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document(trust).send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-unknown-kind": "A principal is AWS, Service, Federated or CanonicalUser." @ "User Guide: AWS JSON policy elements, Principal" => |aws| {
        let trust = trusting(r#"{"Server":"ec2.amazonaws.com"}"#);
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document(trust).send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-two-services": "A principal may list several services." @ "User Guide: AWS JSON policy elements, Principal" => |aws| {
        let trust = trusting(r#"{"Service":["ec2.amazonaws.com","ssm.amazonaws.com"]}"#);
        aws.create_role(&aws.name("r")).assume_role_policy_document(&trust).send().await?;
        same!(parsed(aws.get_role(&aws.name("r")).await?.assume_role_policy_document())?, json(&trust));
    }
    "trust-conditions": "A trust policy may have conditions." @ "User Guide: AWS JSON policy elements, Condition" => |aws| {
        let trust = SSM_TRUST.replace(r#""Action""#, r#""Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"},"ArnEquals":{"aws:SourceArn":"arn:aws:ssm:*:111122223333:*"}},"Action""#);
        aws.create_role(&aws.name("r")).assume_role_policy_document(&trust).send().await?;
        same!(parsed(aws.get_role(&aws.name("r")).await?.assume_role_policy_document())?, json(&trust));
    }
    "trust-account": "The root of the account is a principal." @ "User Guide: AWS JSON policy elements, AWS account principals" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        let account = role.arn().split(':').nth(4).ok_or("no account")?;
        let trust = trusting(&format!(r#"{{"AWS":"arn:aws:iam::{account}:root"}}"#));
        aws.create_role(&aws.name("s")).assume_role_policy_document(trust).send().await?;
    }
    "trust-missing-role": "A role that does not exist can't be trusted." @ "User Guide: Troubleshoot IAM policies, invalid principal" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        let trust = trusting(&format!(r#"{{"AWS":"{}-gone"}}"#, role.arn()));
        refused(aws.create_role(&aws.name("s")).assume_role_policy_document(trust).send().await, 400, "MalformedPolicyDocument")?;
    }
    "trust-role": "A role that exists can be trusted, and is answered by its ARN." @ "User Guide: AWS JSON policy elements, IAM role principals" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        let trust = trusting(&format!(r#"{{"AWS":"{}"}}"#, role.arn()));
        aws.create_role(&aws.name("s")).assume_role_policy_document(&trust).send().await?;
        same!(parsed(aws.get_role(&aws.name("s")).await?.assume_role_policy_document())?, json(&trust));
    }
    "trust-deleted-role": "A trusted role that was deleted is answered as its unique id, also once it is created again." @ "User Guide: AWS JSON policy elements, IAM role principals" => |aws| {
        let role = aws.get_role(&aws.role("r").await?).await?;
        let trust = trusting(&format!(r#"{{"AWS":"{}"}}"#, role.arn()));
        aws.create_role(&aws.name("s")).assume_role_policy_document(&trust).send().await?;
        aws.iam.delete_role().role_name(role.role_name()).send().await?;
        let dead = json(&trusting(&format!(r#"{{"AWS":"{}"}}"#, role.role_id())));
        same!(parsed(aws.get_role(&aws.name("s")).await?.assume_role_policy_document())?, dead);
        aws.role("r").await?;
        same!(parsed(aws.get_role(&aws.name("s")).await?.assume_role_policy_document())?, dead);
    }
    "trust-size": "A trust policy has up to 2,048 characters, white space not counted." @ "User Guide: IAM and AWS STS quotas, character limits" => |aws| {
        let trust = trust_of(2048).replace(",\"", ", \n\"");
        aws.create_role(&aws.name("r")).assume_role_policy_document(trust).send().await?;
    }
    "trust-too-long": "A trust policy of more than 2,048 characters is LimitExceeded." @ "User Guide: IAM and AWS STS quotas, character limits" => |aws| {
        refused(aws.create_role(&aws.name("r")).assume_role_policy_document(trust_of(2049)).send().await, 409, "LimitExceeded")?;
    }
    "trust-update-too-long": "An update holds the same limit." @ "User Guide: IAM and AWS STS quotas, character limits" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.iam.update_assume_role_policy().role_name(&name).policy_document(trust_of(2049)).send().await, 409, "LimitExceeded")?;
    }
    "inline-encoded": "GetRolePolicy answers the document percent-encoded after RFC 3986." @ "API GetRolePolicy" => |aws| {
        let name = aws.role("r").await?;
        aws.put(&name, "inline").send().await?;
        let answer = aws.iam.get_role_policy().role_name(&name).policy_name("inline").send().await?;
        hold!(is_encoded(Some(answer.policy_document())));
    }
    "inline-same": "GetRolePolicy answers role, name and document." @ "API GetRolePolicy" => |aws| {
        let name = aws.role("r").await?;
        aws.put(&name, "inline").send().await?;
        let answer = aws.iam.get_role_policy().role_name(&name).policy_name("inline").send().await?;
        same!(answer.role_name(), name);
        same!(answer.policy_name(), "inline");
        same!(parsed(Some(answer.policy_document()))?, json(DOCUMENT));
    }
    "inline-replace": "PutRolePolicy replaces the policy of that name." @ "API PutRolePolicy" => |aws| {
        let name = aws.role("r").await?;
        aws.put(&name, "inline").send().await?;
        aws.put(&name, "inline").policy_document(OTHER).send().await?;
        let answer = aws.iam.get_role_policy().role_name(&name).policy_name("inline").send().await?;
        same!(parsed(Some(answer.policy_document()))?, json(OTHER));
        same!(aws.iam.list_role_policies().role_name(&name).send().await?.policy_names(), ["inline"]);
    }
    "inline-list": "ListRolePolicies answers the names of inline policies, not of attached ones." @ "API ListRolePolicies" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        aws.put(&name, "a").send().await?;
        aws.put(&name, "b").send().await?;
        let mut names = aws.iam.list_role_policies().role_name(&name).send().await?.policy_names;
        names.sort();
        same!(names, ["a", "b"]);
    }
    "inline-missing": "GetRolePolicy of what is not there is NoSuchEntity." @ "API GetRolePolicy, Errors" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.iam.get_role_policy().role_name(&name).policy_name("none").send().await, 404, "NoSuchEntity")?;
    }
    "inline-delete": "DeleteRolePolicy removes it." @ "API DeleteRolePolicy" => |aws| {
        let name = aws.role("r").await?;
        aws.put(&name, "inline").send().await?;
        aws.iam.delete_role_policy().role_name(&name).policy_name("inline").send().await?;
        hold!(aws.iam.list_role_policies().role_name(&name).send().await?.policy_names().is_empty());
    }
    "inline-delete-missing": "DeleteRolePolicy of what is not there is NoSuchEntity." @ "API DeleteRolePolicy, Errors" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.iam.delete_role_policy().role_name(&name).policy_name("none").send().await, 404, "NoSuchEntity")?;
    }
    "inline-no-role": "Inline policies need a role that exists." @ "API PutRolePolicy, Errors" => |aws| {
        refused(aws.put(&aws.name("r"), "inline").send().await, 404, "NoSuchEntity")?;
    }
    "inline-list-no-role": "ListRolePolicies of a role that is not there is NoSuchEntity." @ "API ListRolePolicies, Errors" => |aws| {
        refused(aws.iam.list_role_policies().role_name(aws.name("r")).send().await, 404, "NoSuchEntity")?;
    }
    "inline-malformed": "PutRolePolicy refuses what is no policy." @ "API PutRolePolicy, Errors" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.put(&name, "inline").policy_document("{}").send().await, 400, "MalformedPolicyDocument")?;
    }
    "inline-principal": "An inline policy of a role names no principal." @ "User Guide: AWS JSON policy elements, Principal" => |aws| {
        let name = aws.role("r").await?;
        let document = DOCUMENT.replace(r#""Effect""#, r#""Principal":"*","Effect""#);
        refused(aws.put(&name, "inline").policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "inline-name-space": "Names of inline policies hold no spaces." @ "API PutRolePolicy, PolicyName" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.put(&name, "a b").send().await, 400, "ValidationError")?;
    }
    "inline-name-129": "Names of inline policies have at most 128 characters." @ "API PutRolePolicy, PolicyName" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.put(&name, &"n".repeat(129)).send().await, 400, "ValidationError")?;
    }
    "inline-size": "The inline policies of a role have up to 10,240 characters together, white space not counted." @ "User Guide: IAM and AWS STS quotas, character limits" => |aws| {
        let name = aws.role("r").await?;
        aws.put(&name, "a").policy_document(document_of(5120)).send().await?;
        aws.put(&name, "b").policy_document(document_of(5120).replace(':', ": ").replace("arn: aws: s3: : : ", "arn:aws:s3:::").replace("s3: G", "s3:G")).send().await?;
    }
    "inline-too-long": "More than 10,240 characters together is LimitExceeded." @ "API PutRolePolicy, Errors" => |aws| {
        let name = aws.role("r").await?;
        aws.put(&name, "a").policy_document(document_of(5120)).send().await?;
        refused(aws.put(&name, "b").policy_document(document_of(5121)).send().await, 409, "LimitExceeded")?;
        same!(aws.iam.list_role_policies().role_name(&name).send().await?.policy_names(), ["a"]);
    }
}
