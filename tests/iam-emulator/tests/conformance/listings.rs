//! Lists, pages and the whole account at once. Does IO.

use aws_sdk_iam::types::{EntityType, PolicyScopeType, PolicyUsageType, SummaryKeyType};

use crate::support::{
    DOCUMENT, OTHER, TRUST, hold, invalid, is_encoded, json, pairs, parsed, rows, same, tag,
};

rows! {
    "list-roles-path": "ListRoles narrows by the start of the path." @ "API ListRoles, PathPrefix" => |aws| {
        aws.create_role(&aws.name("here")).path(aws.path()).send().await?;
        aws.create_role(&aws.name("below")).path(format!("{}below/", aws.path())).send().await?;
        aws.role("elsewhere").await?;
        let answer = aws.iam.list_roles().path_prefix(aws.path()).send().await?;
        let mut names: Vec<_> = answer.roles().iter().map(aws_sdk_iam::types::Role::role_name).collect();
        names.sort_unstable();
        same!(names, [aws.name("below"), aws.name("here")]);
    }
    "list-roles-fields": "ListRoles answers trust, description and longest session." @ "API ListRoles" => |aws| {
        aws.create_role(&aws.name("r")).path(aws.path()).description("d").max_session_duration(7200).send().await?;
        let answer = aws.iam.list_roles().path_prefix(aws.path()).send().await?;
        let role = answer.roles().first().ok_or("no role")?;
        same!(role.description(), Some("d"));
        same!(role.max_session_duration(), Some(7200));
        same!(parsed(role.assume_role_policy_document())?, json(TRUST));
    }
    "list-roles-subset": "ListRoles leaves out boundary, last use and tags." @ "API ListRoles: a subset of the available attributes" => |aws| {
        let arn = aws.policy("b").await?;
        aws.create_role(&aws.name("r")).path(aws.path()).permissions_boundary(arn).tags(tag("k", "v")).send().await?;
        let answer = aws.iam.list_roles().path_prefix(aws.path()).send().await?;
        let role = answer.roles().first().ok_or("no role")?;
        hold!(role.tags().is_empty());
        hold!(role.permissions_boundary().is_none());
        hold!(role.role_last_used().is_none());
    }
    "list-roles-pages": "Pages hold MaxItems at most, say when there is more, and together hold each role once." @ "API ListRoles, IsTruncated, Marker" => |aws| {
        for number in 0..5 {
            aws.create_role(&aws.name(&number.to_string())).path(aws.path()).send().await?;
        }
        let (mut names, mut marker) = (Vec::new(), None);
        loop {
            let page = aws.iam.list_roles().path_prefix(aws.path()).max_items(2).set_marker(marker).send().await?;
            hold!(page.roles().len() <= 2);
            same!(page.is_truncated(), page.marker().is_some());
            names.extend(page.roles.iter().map(|role| role.role_name.clone()));
            marker = page.marker;
            if marker.is_none() {
                break;
            }
        }
        names.sort();
        let expected: Vec<_> = (0..5).map(|number| aws.name(&number.to_string())).collect();
        same!(names, expected);
    }
    "list-roles-whole": "A list that fits is not truncated, and has no marker." @ "API ListRoles, IsTruncated" => |aws| {
        aws.create_role(&aws.name("r")).path(aws.path()).send().await?;
        let page = aws.iam.list_roles().path_prefix(aws.path()).send().await?;
        hold!(!page.is_truncated() && page.marker().is_none());
    }
    "list-roles-none": "A path with nothing below it is an empty list." @ "API ListRoles: if there are none, an empty list" => |aws| {
        hold!(aws.iam.list_roles().path_prefix(aws.path()).send().await?.roles().is_empty());
    }
    "list-max-0": "MaxItems is at least 1." @ "API ListRoles, MaxItems" => |aws| {
        invalid(aws.iam.list_roles().max_items(0).send().await)?;
    }
    "list-max-1001": "MaxItems is at most 1,000." @ "API ListRoles, MaxItems" => |aws| {
        invalid(aws.iam.list_roles().max_items(1001).send().await)?;
    }
    "list-bad-marker": "A marker comes from the answer before." @ "API ListRoles, Marker" => |aws| {
        invalid(aws.iam.list_roles().marker("made-up").send().await)?;
    }
    "list-prefix-relative": "A path prefix begins with a slash." @ "API ListRoles, PathPrefix" => |aws| {
        invalid(aws.iam.list_roles().path_prefix("relative/").send().await)?;
    }
    "list-policies-local": "ListPolicies of the scope Local answers customer managed policies only." @ "API ListPolicies, Scope" => |aws| {
        aws.policy("p").await?;
        let mut pages = aws.iam.list_policies().scope(PolicyScopeType::Local).into_paginator().items().send();
        let mut found = false;
        while let Some(policy) = pages.next().await {
            let policy = policy?;
            hold!(policy.arn().is_some_and(|arn| !arn.contains(":aws:policy/")));
            found |= policy.policy_name() == Some(aws.name("p").as_str());
        }
        hold!(found);
    }
    "list-policies-aws": "ListPolicies of the scope AWS answers AWS's own only." @ "API ListPolicies, Scope" => |aws| {
        aws.policy("p").await?;
        let answer = aws.iam.list_policies().scope(PolicyScopeType::Aws).send().await?;
        hold!(!answer.policies().is_empty());
        hold!(answer.policies().iter().all(|policy| policy.arn().is_some_and(|arn| arn.contains(":aws:policy/"))));
    }
    "list-policies-path": "ListPolicies narrows by the start of the path." @ "API ListPolicies, PathPrefix" => |aws| {
        aws.create_policy(&aws.name("here")).path(aws.path()).send().await?;
        aws.policy("elsewhere").await?;
        let answer = aws.iam.list_policies().path_prefix(aws.path()).send().await?;
        let names: Vec<_> = answer.policies().iter().filter_map(|policy| policy.policy_name()).collect();
        same!(names, [aws.name("here")]);
    }
    "list-policies-fields": "ListPolicies answers id, ARN, default version and counts." @ "API ListPolicies" => |aws| {
        let created = aws.create_policy(&aws.name("p")).path(aws.path()).send().await?;
        let created = created.policy.ok_or("no policy")?;
        let answer = aws.iam.list_policies().path_prefix(aws.path()).send().await?;
        let policy = answer.policies().first().ok_or("no policy")?;
        same!(policy.arn(), created.arn());
        same!(policy.policy_id(), created.policy_id());
        same!(policy.default_version_id(), Some("v1"));
        same!(policy.attachment_count(), Some(0));
    }
    "list-policies-subset": "ListPolicies leaves out description and tags." @ "API Policy, Description: not included in ListPolicies" => |aws| {
        aws.create_policy(&aws.name("p")).path(aws.path()).description("d").tags(tag("k", "v")).send().await?;
        let answer = aws.iam.list_policies().path_prefix(aws.path()).send().await?;
        let policy = answer.policies().first().ok_or("no policy")?;
        hold!(policy.description().is_none());
        hold!(policy.tags().is_empty());
    }
    "list-policies-attached": "ListPolicies can leave out what is attached to nothing." @ "API ListPolicies, OnlyAttached" => |aws| {
        let attached = aws.create_policy(&aws.name("attached")).path(aws.path()).send().await?;
        aws.create_policy(&aws.name("idle")).path(aws.path()).send().await?;
        let arn = attached.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
        aws.attach(&aws.role("r").await?, &arn).send().await?;
        let answer = aws.iam.list_policies().path_prefix(aws.path()).only_attached(true).send().await?;
        let names: Vec<_> = answer.policies().iter().filter_map(|policy| policy.policy_name()).collect();
        same!(names, [aws.name("attached")]);
    }
    "list-policies-boundaries": "ListPolicies can tell only those in use as boundaries." @ "API ListPolicies, PolicyUsageFilter" => |aws| {
        let bounding = aws.create_policy(&aws.name("bounding")).path(aws.path()).send().await?;
        aws.create_policy(&aws.name("idle")).path(aws.path()).send().await?;
        let arn = bounding.policy.and_then(|policy| policy.arn).ok_or("no ARN")?;
        aws.create_role(&aws.name("r")).permissions_boundary(&arn).send().await?;
        let answer = aws.iam.list_policies().path_prefix(aws.path()).policy_usage_filter(PolicyUsageType::PermissionsBoundary).send().await?;
        let names: Vec<_> = answer.policies().iter().filter_map(|policy| policy.policy_name()).collect();
        same!(names, [aws.name("bounding")]);
    }
    "list-profiles": "ListInstanceProfiles narrows by path and answers the roles inside." @ "API ListInstanceProfiles" => |aws| {
        let (profile, role) = (aws.name("i"), aws.role("r").await?);
        aws.iam.create_instance_profile().instance_profile_name(&profile).path(aws.path()).send().await?;
        aws.profile("elsewhere").await?;
        aws.add(&role, &profile).send().await?;
        let answer = aws.iam.list_instance_profiles().path_prefix(aws.path()).send().await?;
        same!(answer.instance_profiles().len(), 1);
        same!(answer.instance_profiles()[0].roles()[0].role_name(), role);
    }
    "list-profiles-subset": "ListInstanceProfiles leaves out tags." @ "API ListInstanceProfiles: a subset of the available attributes" => |aws| {
        aws.iam.create_instance_profile().instance_profile_name(aws.name("i")).path(aws.path()).tags(tag("k", "v")).send().await?;
        let answer = aws.iam.list_instance_profiles().path_prefix(aws.path()).send().await?;
        let profile = answer.instance_profiles().iter().find(|profile| profile.instance_profile_name() == aws.name("i"));
        hold!(profile.is_some_and(|profile| profile.tags().is_empty()));
    }
    "list-profiles-pages": "ListInstanceProfiles answers pages." @ "API ListInstanceProfiles, MaxItems" => |aws| {
        for name in ["a", "b", "c"] {
            aws.iam.create_instance_profile().instance_profile_name(aws.name(name)).path(aws.path()).send().await?;
        }
        let first = aws.iam.list_instance_profiles().path_prefix(aws.path()).max_items(2).send().await?;
        same!(first.instance_profiles().len(), 2);
        let second = aws.iam.list_instance_profiles().path_prefix(aws.path()).set_marker(first.marker).send().await?;
        same!(second.instance_profiles().len(), 1);
    }
    "list-inline-pages": "ListRolePolicies answers pages." @ "API ListRolePolicies, MaxItems" => |aws| {
        let name = aws.role("r").await?;
        for policy in ["a", "b", "c"] {
            aws.put(&name, policy).send().await?;
        }
        let first = aws.iam.list_role_policies().role_name(&name).max_items(2).send().await?;
        hold!(first.is_truncated());
        let second = aws.iam.list_role_policies().role_name(&name).set_marker(first.marker.clone()).send().await?;
        let mut names = [first.policy_names(), second.policy_names()].concat();
        names.sort();
        same!(names, ["a", "b", "c"]);
    }
    "list-attached-pages": "ListAttachedRolePolicies answers pages." @ "API ListAttachedRolePolicies, MaxItems" => |aws| {
        let name = aws.role("r").await?;
        for policy in ["a", "b", "c"] {
            aws.attach(&name, &aws.policy(policy).await?).send().await?;
        }
        let first = aws.iam.list_attached_role_policies().role_name(&name).max_items(2).send().await?;
        hold!(first.is_truncated());
        same!(first.attached_policies().len(), 2);
        let second = aws.iam.list_attached_role_policies().role_name(&name).set_marker(first.marker).send().await?;
        same!(second.attached_policies().len(), 1);
    }
    "list-versions-pages": "ListPolicyVersions answers pages." @ "API ListPolicyVersions, MaxItems" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_version(&arn).send().await?;
        aws.create_version(&arn).send().await?;
        let first = aws.iam.list_policy_versions().policy_arn(&arn).max_items(2).send().await?;
        hold!(first.is_truncated());
        same!(first.versions().len(), 2);
        let second = aws.iam.list_policy_versions().policy_arn(&arn).set_marker(first.marker).send().await?;
        same!(second.versions().len(), 1);
    }
    "details-role": "GetAccountAuthorizationDetails answers roles with their trust policy, percent-encoded." @ "API GetAccountAuthorizationDetails, RoleDetailList" => |aws| {
        let name = aws.role("r").await?;
        let pages = aws.details(EntityType::Role).await?;
        let role = pages.iter().flat_map(aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput::role_detail_list).find(|role| role.role_name() == Some(&name)).ok_or("no role")?;
        hold!(is_encoded(role.assume_role_policy_document()));
        same!(parsed(role.assume_role_policy_document())?, json(TRUST));
        hold!(role.role_id().is_some() && role.arn().is_some());
    }
    "details-inline": "… with their inline policies and documents." @ "API RoleDetail, RolePolicyList" => |aws| {
        let name = aws.role("r").await?;
        aws.put(&name, "inline").send().await?;
        let pages = aws.details(EntityType::Role).await?;
        let role = pages.iter().flat_map(aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput::role_detail_list).find(|role| role.role_name() == Some(&name)).ok_or("no role")?;
        same!(role.role_policy_list().len(), 1);
        same!(role.role_policy_list()[0].policy_name(), Some("inline"));
        same!(parsed(role.role_policy_list()[0].policy_document())?, json(DOCUMENT));
    }
    "details-attached": "… with what is attached." @ "API RoleDetail, AttachedManagedPolicies" => |aws| {
        let (name, arn) = (aws.role("r").await?, aws.policy("p").await?);
        aws.attach(&name, &arn).send().await?;
        let pages = aws.details(EntityType::Role).await?;
        let role = pages.iter().flat_map(aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput::role_detail_list).find(|role| role.role_name() == Some(&name)).ok_or("no role")?;
        same!(role.attached_managed_policies().len(), 1);
        same!(role.attached_managed_policies()[0].policy_arn(), Some(arn.as_str()));
    }
    "details-profile": "… with the profiles that hold them." @ "API RoleDetail, InstanceProfileList" => |aws| {
        let name = aws.role_in_profile("r").await?;
        let pages = aws.details(EntityType::Role).await?;
        let role = pages.iter().flat_map(aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput::role_detail_list).find(|role| role.role_name() == Some(&name)).ok_or("no role")?;
        same!(role.instance_profile_list().len(), 1);
        same!(role.instance_profile_list()[0].instance_profile_name(), name);
        same!(role.instance_profile_list()[0].roles()[0].role_name(), name);
    }
    "details-boundary": "… with their boundary." @ "API RoleDetail, PermissionsBoundary" => |aws| {
        let (name, arn) = (aws.name("r"), aws.policy("b").await?);
        aws.create_role(&name).permissions_boundary(&arn).send().await?;
        let pages = aws.details(EntityType::Role).await?;
        let role = pages.iter().flat_map(aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput::role_detail_list).find(|role| role.role_name() == Some(&name)).ok_or("no role")?;
        same!(role.permissions_boundary().and_then(|b| b.permissions_boundary_arn()), Some(arn.as_str()));
    }
    "details-tags": "… with their tags." @ "API RoleDetail, Tags" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).tags(tag("k", "v")).send().await?;
        let pages = aws.details(EntityType::Role).await?;
        let role = pages.iter().flat_map(aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput::role_detail_list).find(|role| role.role_name() == Some(&name)).ok_or("no role")?;
        same!(pairs(role.tags()), [("k", "v")]);
    }
    "details-filter-roles": "The filter Role answers no policies." @ "API GetAccountAuthorizationDetails, Filter" => |aws| {
        aws.policy("p").await?;
        hold!(aws.details(EntityType::Role).await?.iter().all(|page| page.policies().is_empty()));
    }
    "details-filter-policies": "The filter LocalManagedPolicy answers no roles, and no policy of AWS." @ "API GetAccountAuthorizationDetails, Filter" => |aws| {
        aws.policy("p").await?;
        aws.attach(&aws.role("r").await?, "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore").send().await?;
        let pages = aws.details(EntityType::LocalManagedPolicy).await?;
        hold!(pages.iter().all(|page| page.role_detail_list().is_empty()));
        hold!(pages.iter().flat_map(aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput::policies).all(|policy| policy.arn().is_some_and(|arn| !arn.contains(":aws:policy/"))));
    }
    "details-policy": "Policies come with name, id, ARN, path and default version." @ "API ManagedPolicyDetail" => |aws| {
        let arn = aws.policy("p").await?;
        let known = aws.get_policy(&arn).await?;
        let pages = aws.details(EntityType::LocalManagedPolicy).await?;
        let policy = pages.iter().flat_map(aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput::policies).find(|policy| policy.arn() == Some(&arn)).ok_or("no policy")?;
        same!(policy.policy_name(), known.policy_name());
        same!(policy.policy_id(), known.policy_id());
        same!(policy.path(), known.path());
        same!(policy.default_version_id(), Some("v1"));
    }
    "details-versions": "Policies come with every version and its document." @ "API ManagedPolicyDetail, PolicyVersionList" => |aws| {
        let arn = aws.policy("p").await?;
        aws.create_version(&arn).set_as_default(true).send().await?;
        let pages = aws.details(EntityType::LocalManagedPolicy).await?;
        let policy = pages.iter().flat_map(aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput::policies).find(|policy| policy.arn() == Some(&arn)).ok_or("no policy")?;
        same!(policy.policy_version_list().len(), 2);
        for version in policy.policy_version_list() {
            let expected = if version.is_default_version() { OTHER } else { DOCUMENT };
            same!(parsed(version.document())?, json(expected));
        }
    }
    "details-pages": "GetAccountAuthorizationDetails answers pages, and says when there is more." @ "API GetAccountAuthorizationDetails, MaxItems" => |aws| {
        aws.role("a").await?;
        aws.role("b").await?;
        let first = aws.iam.get_account_authorization_details().filter(EntityType::Role).max_items(1).send().await?;
        hold!(first.is_truncated());
        same!(first.role_detail_list().len(), 1);
        let second = aws.iam.get_account_authorization_details().filter(EntityType::Role).max_items(1).set_marker(first.marker.clone()).send().await?;
        hold!(first.role_detail_list()[0].role_id() != second.role_detail_list()[0].role_id());
    }
    "details-bad-filter": "A filter is one of five." @ "API GetAccountAuthorizationDetails, Filter" => |aws| {
        invalid(aws.iam.get_account_authorization_details().filter(EntityType::from("Robot")).send().await)?;
    }
    "summary": "GetAccountSummary counts roles and tells quotas." @ "API GetAccountSummary" => |aws| {
        aws.role("r").await?;
        let answer = aws.iam.get_account_summary().send().await?;
        let map = answer.summary_map().ok_or("no map")?;
        hold!(map.get(&SummaryKeyType::from("Roles")).is_some_and(|count| *count >= 1));
        same!(map.get(&SummaryKeyType::VersionsPerPolicyQuota), Some(&5));
    }
}
