//! What a policy document has to be. Does IO.

use crate::support::{json, parsed, refused, rows, same};

rows! {
    "document-json": "A policy is JSON." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r"{not json";
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-empty-object": "A policy has a Version and statements." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r"{}";
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-array": "A policy is an object, not a list." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r"[]";
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-no-version": "A managed policy names its version." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-version": "The version is one of two dates." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2020-01-01","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-no-statement": "A policy has statements." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17"}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-empty-statement": "The list of statements is not empty." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-unknown-key": "A policy has no other elements than IAM's." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Comment":"x","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-unknown-statement-key": "A statement has no other elements than IAM's." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Actions":"s3:GetObject","Action":"s3:GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-no-effect": "A statement has an Effect." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Action":"s3:GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-effect": "The Effect is Allow or Deny, in that case." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-no-action": "A statement has an Action or a NotAction." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-empty-action": "The list of actions is not empty." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-both-actions": "A statement has one of Action and NotAction." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","NotAction":"s3:PutObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-action-no-vendor": "An action names its service." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-action-colons": "An action has one colon." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get:Object","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-action-number": "An action is a string." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":7,"Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-no-resource": "A statement of an identity policy has a Resource." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-empty-resource": "The list of resources is not empty." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":[]}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-resource-name": "A resource is an ARN or an asterisk." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"bucket/key"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-resource-partition": "The partition of a resource is one that exists." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:moon:s3:::bucket"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-both-resources": "A statement has one of Resource and NotResource." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","NotResource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-principal": "An identity policy names no principal." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-not-principal": "An identity policy names no NotPrincipal either." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"*"},"Action":"s3:GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-condition": "A Condition is an object of operators." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":"x"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-sid-twice": "Sids are unique within a policy." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Sid":"A","Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-sid-signs": "A Sid holds letters and digits only." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Sid":"a-b","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        refused(aws.create_policy(&aws.name("p")).policy_document(document).send().await, 400, "MalformedPolicyDocument")?;
    }
    "document-one-statement": "One statement may stand without a list." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#;
        let answer = aws.create_policy(&aws.name("p")).policy_document(document).send().await?;
        let arn = answer.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
        let answer = aws.iam.get_policy_version().policy_arn(arn).version_id("v1").send().await?;
        same!(parsed(answer.policy_version().and_then(|version| version.document()))?, json(document));
    }
    "document-wildcards": "Actions may hold wildcards." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","ec2:Describe?mages","*"],"Resource":"*"}]}"#;
        let answer = aws.create_policy(&aws.name("p")).policy_document(document).send().await?;
        let arn = answer.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
        let answer = aws.iam.get_policy_version().policy_arn(arn).version_id("v1").send().await?;
        same!(parsed(answer.policy_version().and_then(|version| version.document()))?, json(document));
    }
    "document-not-action": "A statement may have a NotAction and a NotResource." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":"iam:*","NotResource":"arn:aws:iam::111122223333:role/x"}]}"#;
        let answer = aws.create_policy(&aws.name("p")).policy_document(document).send().await?;
        let arn = answer.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
        let answer = aws.iam.get_policy_version().policy_arn(arn).version_id("v1").send().await?;
        same!(parsed(answer.policy_version().and_then(|version| version.document()))?, json(document));
    }
    "document-conditions": "A statement may have conditions, and variables in them." @ "User Guide: Grammar of the IAM JSON policy language" => |aws| {
        let document = r#"{"Version":"2012-10-17","Id":"x","Statement":[{"Sid":"A1","Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:us-east-1:111122223333:key/1","Condition":{"StringLike":{"kms:ViaService":"s3.*.amazonaws.com","kms:EncryptionContext:aws:ssm:SessionId":["*"]}}}]}"#;
        let answer = aws.create_policy(&aws.name("p")).policy_document(document).send().await?;
        let arn = answer.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
        let answer = aws.iam.get_policy_version().policy_arn(arn).version_id("v1").send().await?;
        same!(parsed(answer.policy_version().and_then(|version| version.document()))?, json(document));
    }
}
