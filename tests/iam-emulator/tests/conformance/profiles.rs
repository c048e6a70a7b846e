//! Instance profiles. Does IO.

use crate::support::{TRUST, hold, invalid, json, parsed, refused, rows, same, tag};

rows! {
    "profile-arn": "A profile's ARN holds its path and name." @ "User Guide: IAM identifiers" => |aws| {
        let name = aws.name("i");
        let answer = aws.iam.create_instance_profile().instance_profile_name(&name).path(aws.path()).send().await?;
        let profile = answer.instance_profile.ok_or("no profile")?;
        same!(profile.instance_profile_name(), name);
        hold!(profile.arn().ends_with(&format!(":instance-profile{}{name}", aws.path())));
        hold!(profile.roles().is_empty());
    }
    "profile-id": "A profile's unique id starts with AIPA and has 21 characters." @ "User Guide: IAM identifiers, unique ID prefixes" => |aws| {
        let profile = aws.get_profile(&aws.profile("i").await?).await?;
        hold!(profile.instance_profile_id().starts_with("AIPA"));
        same!(profile.instance_profile_id().len(), 21);
    }
    "profile-exists": "A second profile of the same name is EntityAlreadyExists, 409." @ "API CreateInstanceProfile, Errors" => |aws| {
        let name = aws.profile("i").await?;
        refused(aws.iam.create_instance_profile().instance_profile_name(&name).send().await, 409, "EntityAlreadyExists")?;
    }
    "profile-exists-other-case": "Names are not distinguished by case." @ "User Guide: IAM and AWS STS quotas, name requirements" => |aws| {
        let name = aws.profile("profile").await?;
        refused(aws.iam.create_instance_profile().instance_profile_name(name.to_uppercase()).send().await, 409, "EntityAlreadyExists")?;
    }
    "profile-exists-other-path": "Names are unique within the account, whatever the path." @ "User Guide: IAM identifiers, friendly names and paths" => |aws| {
        let name = aws.profile("i").await?;
        refused(aws.iam.create_instance_profile().instance_profile_name(&name).path(aws.path()).send().await, 409, "EntityAlreadyExists")?;
    }
    "profile-name-128": "A profile's name has up to 128 characters." @ "API CreateInstanceProfile, InstanceProfileName" => |aws| {
        aws.iam.create_instance_profile().instance_profile_name(aws.long_name(128)).send().await?;
    }
    "profile-name-129": "A profile's name has at most 128 characters." @ "API CreateInstanceProfile, InstanceProfileName" => |aws| {
        invalid(aws.iam.create_instance_profile().instance_profile_name(aws.long_name(129)).send().await)?;
    }
    "profile-name-space": "A profile's name holds no spaces." @ "API CreateInstanceProfile, InstanceProfileName" => |aws| {
        invalid(aws.iam.create_instance_profile().instance_profile_name(aws.name("a b")).send().await)?;
    }
    "profile-path-open": "A profile's path ends with a slash." @ "API CreateInstanceProfile, Path" => |aws| {
        invalid(aws.iam.create_instance_profile().instance_profile_name(aws.name("i")).path("/open").send().await)?;
    }
    "profile-tags": "GetInstanceProfile answers the tags." @ "API GetInstanceProfile" => |aws| {
        let name = aws.name("i");
        aws.iam.create_instance_profile().instance_profile_name(&name).tags(tag("k", "v")).send().await?;
        same!(aws.get_profile(&name).await?.tags(), [tag("k", "v")]);
    }
    "profile-missing": "GetInstanceProfile of what is not there is NoSuchEntity, 404." @ "API GetInstanceProfile, Errors" => |aws| {
        refused(aws.iam.get_instance_profile().instance_profile_name(aws.name("i")).send().await, 404, "NoSuchEntity")?;
    }
    "profile-other-case": "A profile is found by its name in any case, and answered in its own." @ "User Guide: IAM and AWS STS quotas, name requirements" => |aws| {
        let name = aws.profile("Profile").await?;
        same!(aws.get_profile(&name.to_lowercase()).await?.instance_profile_name(), name);
    }
    "profile-delete": "A deleted profile is gone." @ "API DeleteInstanceProfile" => |aws| {
        let name = aws.profile("i").await?;
        aws.iam.delete_instance_profile().instance_profile_name(&name).send().await?;
        refused(aws.iam.get_instance_profile().instance_profile_name(&name).send().await, 404, "NoSuchEntity")?;
    }
    "profile-delete-missing": "DeleteInstanceProfile of what is not there is NoSuchEntity." @ "API DeleteInstanceProfile, Errors" => |aws| {
        refused(aws.iam.delete_instance_profile().instance_profile_name(aws.name("i")).send().await, 404, "NoSuchEntity")?;
    }
    "profile-delete-with-role": "A profile with a role can't be deleted." @ "API DeleteInstanceProfile" => |aws| {
        let name = aws.role_in_profile("i").await?;
        refused(aws.iam.delete_instance_profile().instance_profile_name(&name).send().await, 409, "DeleteConflict")?;
        aws.get_profile(&name).await?;
    }
    "profile-again-new-id": "A profile created again has another unique id." @ "User Guide: IAM identifiers, unique identifiers" => |aws| {
        let name = aws.profile("i").await?;
        let first = aws.get_profile(&name).await?;
        aws.iam.delete_instance_profile().instance_profile_name(&name).send().await?;
        aws.profile("i").await?;
        hold!(first.instance_profile_id() != aws.get_profile(&name).await?.instance_profile_id());
    }
    "profile-role": "GetInstanceProfile answers the role inside, with its trust policy." @ "API InstanceProfile, Roles" => |aws| {
        let name = aws.role_in_profile("i").await?;
        let profile = aws.get_profile(&name).await?;
        same!(profile.roles().len(), 1);
        let role = &profile.roles()[0];
        same!(role.role_name(), name);
        same!(role.role_id(), aws.get_role(&name).await?.role_id());
        same!(parsed(role.assume_role_policy_document())?, json(TRUST));
    }
    "profile-second-role": "A profile holds one role: the second is LimitExceeded, 409." @ "API AddRoleToInstanceProfile" => |aws| {
        let name = aws.role_in_profile("i").await?;
        let other = aws.role("other").await?;
        refused(aws.add(&other, &name).send().await, 409, "LimitExceeded")?;
        same!(aws.get_profile(&name).await?.roles()[0].role_name(), name);
    }
    "profile-same-role": "The same role a second time is LimitExceeded too." @ "API AddRoleToInstanceProfile, Errors" => |aws| {
        let name = aws.role_in_profile("i").await?;
        refused(aws.add(&name, &name).send().await, 409, "LimitExceeded")?;
    }
    "profile-quota-words": "That refusal speaks of a quota, not of replication." @ "API AddRoleToInstanceProfile, LimitExceeded" => |aws| {
        use aws_sdk_iam::error::ProvideErrorMetadata as _;
        let name = aws.role_in_profile("i").await?;
        let Err(error) = aws.add(&name, &name).send().await else { return Err("accepted".into()) };
        hold!(error.message().is_some_and(|message| message.contains("quota")));
    }
    "profile-add-no-role": "AddRoleToInstanceProfile needs a role that exists." @ "API AddRoleToInstanceProfile, Errors" => |aws| {
        let name = aws.profile("i").await?;
        refused(aws.add(&aws.name("r"), &name).send().await, 404, "NoSuchEntity")?;
    }
    "profile-add-no-profile": "AddRoleToInstanceProfile needs a profile that exists." @ "API AddRoleToInstanceProfile, Errors" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.add(&name, &aws.name("i")).send().await, 404, "NoSuchEntity")?;
    }
    "profile-role-twice": "One role may be in several profiles." @ "User Guide: Use instance profiles" => |aws| {
        let name = aws.role_in_profile("i").await?;
        let other = aws.profile("other").await?;
        aws.add(&name, &other).send().await?;
        let answer = aws.iam.list_instance_profiles_for_role().role_name(&name).send().await?;
        same!(answer.instance_profiles().len(), 2);
    }
    "profile-remove": "A removed role is in the profile no more." @ "API RemoveRoleFromInstanceProfile" => |aws| {
        let name = aws.role_in_profile("i").await?;
        aws.iam.remove_role_from_instance_profile().role_name(&name).instance_profile_name(&name).send().await?;
        hold!(aws.get_profile(&name).await?.roles().is_empty());
        aws.iam.delete_role().role_name(&name).send().await?;
    }
    "profile-remove-absent": "Removing a role that is not inside is NoSuchEntity." @ "API RemoveRoleFromInstanceProfile, Errors" => |aws| {
        let (role, profile) = (aws.role("r").await?, aws.profile("i").await?);
        refused(aws.iam.remove_role_from_instance_profile().role_name(&role).instance_profile_name(&profile).send().await, 404, "NoSuchEntity")?;
    }
    "profile-remove-other": "Removing another role than the one inside is NoSuchEntity." @ "API RemoveRoleFromInstanceProfile, Errors" => |aws| {
        let (name, other) = (aws.role_in_profile("i").await?, aws.role("other").await?);
        refused(aws.iam.remove_role_from_instance_profile().role_name(&other).instance_profile_name(&name).send().await, 404, "NoSuchEntity")?;
        same!(aws.get_profile(&name).await?.roles().len(), 1);
    }
    "profile-remove-no-profile": "Removing from a profile that is not there is NoSuchEntity." @ "API RemoveRoleFromInstanceProfile, Errors" => |aws| {
        let role = aws.role("r").await?;
        refused(aws.iam.remove_role_from_instance_profile().role_name(&role).instance_profile_name(aws.name("i")).send().await, 404, "NoSuchEntity")?;
    }
    "profile-for-role": "ListInstanceProfilesForRole answers the profiles that hold a role." @ "API ListInstanceProfilesForRole" => |aws| {
        let name = aws.role_in_profile("i").await?;
        aws.profile("other").await?;
        let answer = aws.iam.list_instance_profiles_for_role().role_name(&name).send().await?;
        let names: Vec<_> = answer.instance_profiles().iter().map(aws_sdk_iam::types::InstanceProfile::instance_profile_name).collect();
        same!(names, [name.as_str()]);
    }
    "profile-for-no-role": "ListInstanceProfilesForRole of a role that is not there is NoSuchEntity." @ "API ListInstanceProfilesForRole, Errors" => |aws| {
        refused(aws.iam.list_instance_profiles_for_role().role_name(aws.name("r")).send().await, 404, "NoSuchEntity")?;
    }
}
