//! Tags of roles, policies and profiles. Does IO.

use crate::support::{hold, invalid, pairs, refused, refused_as, rows, same, tag, tags};

rows! {
    "tag-role": "TagRole adds tags, and GetRole answers them." @ "API TagRole" => |aws| {
        let name = aws.role("r").await?;
        aws.iam.tag_role().role_name(&name).tags(tag("a", "1")).tags(tag("b", "2")).send().await?;
        same!(pairs(aws.get_role(&name).await?.tags()), [("a", "1"), ("b", "2")]);
    }
    "tag-role-again": "A tag that is there gets the new value." @ "API TagRole" => |aws| {
        let name = aws.role("r").await?;
        for value in ["1", "2"] {
            aws.iam.tag_role().role_name(&name).tags(tag("a", value)).send().await?;
        }
        same!(pairs(aws.get_role(&name).await?.tags()), [("a", "2")]);
    }
    "tag-role-other-case": "Keys of role tags are not distinguished by case: the new tag replaces the old." @ "User Guide: Tags for IAM resources, case sensitivity" => |aws| {
        let name = aws.role("r").await?;
        aws.iam.tag_role().role_name(&name).tags(tag("Department", "finance")).send().await?;
        aws.iam.tag_role().role_name(&name).tags(tag("department", "hr")).send().await?;
        let role = aws.get_role(&name).await?;
        same!(role.tags().len(), 1);
        same!(role.tags()[0].value(), "hr");
    }
    "tag-role-twice-in-one": "One request holds each key once, whatever its case." @ "API TagRole, Errors" => |aws| {
        let name = aws.role("r").await?;
        refused(aws.iam.tag_role().role_name(&name).tags(tag("A", "1")).tags(tag("a", "2")).send().await, 400, "InvalidInput")?;
    }
    "tag-create-twice-in-one": "CreateRole refuses doubled keys as well, and creates nothing." @ "API CreateRole, Errors" => |aws| {
        refused(aws.create_role(&aws.name("r")).tags(tag("a", "1")).tags(tag("a", "2")).send().await, 400, "InvalidInput")?;
        refused(aws.iam.get_role().role_name(aws.name("r")).send().await, 404, "NoSuchEntity")?;
    }
    "tag-policy-case": "Keys of policy tags are distinguished by case." @ "User Guide: Tags for IAM resources, case sensitivity" => |aws| {
        let arn = aws.policy("p").await?;
        aws.iam.tag_policy().policy_arn(&arn).tags(tag("Key", "1")).send().await?;
        aws.iam.tag_policy().policy_arn(&arn).tags(tag("key", "2")).send().await?;
        same!(pairs(aws.get_policy(&arn).await?.tags()), [("Key", "1"), ("key", "2")]);
    }
    "tag-profile-case": "Keys of profile tags are distinguished by case." @ "User Guide: Tags for IAM resources, case sensitivity" => |aws| {
        let name = aws.profile("i").await?;
        aws.iam.tag_instance_profile().instance_profile_name(&name).tags(tag("Key", "1")).send().await?;
        aws.iam.tag_instance_profile().instance_profile_name(&name).tags(tag("key", "2")).send().await?;
        same!(aws.get_profile(&name).await?.tags().len(), 2);
    }
    "tag-50": "A role has up to 50 tags." @ "User Guide: IAM and AWS STS quotas" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).set_tags(Some(tags(50))).send().await?;
        same!(aws.get_role(&name).await?.tags().len(), 50);
    }
    "tag-51-in-one": "A request holds at most 50 tags." @ "API CreateRole, Tags" => |aws| {
        refused_as(aws.create_role(&aws.name("r")).set_tags(Some(tags(51))).send().await, &[(400, "ValidationError"), (409, "LimitExceeded")])?;
    }
    "tag-51-in-two": "The fifty-first tag is LimitExceeded." @ "API TagRole, Errors" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).set_tags(Some(tags(50))).send().await?;
        refused_as(aws.iam.tag_role().role_name(&name).tags(tag("one-more", "v")).send().await, &[(409, "LimitExceeded")])?;
        same!(aws.get_role(&name).await?.tags().len(), 50);
    }
    "tag-key-128": "A key has up to 128 characters, a value up to 256." @ "API Tag" => |aws| {
        let name = aws.role("r").await?;
        let (key, value) = ("k".repeat(128), "v".repeat(256));
        aws.iam.tag_role().role_name(&name).tags(tag(&key, &value)).send().await?;
        same!(pairs(aws.get_role(&name).await?.tags()), [(key.as_str(), value.as_str())]);
    }
    "tag-key-129": "A key has at most 128 characters." @ "API Tag, Key" => |aws| {
        let name = aws.role("r").await?;
        invalid(aws.iam.tag_role().role_name(&name).tags(tag(&"k".repeat(129), "v")).send().await)?;
    }
    "tag-value-257": "A value has at most 256 characters." @ "API Tag, Value" => |aws| {
        let name = aws.role("r").await?;
        invalid(aws.iam.tag_role().role_name(&name).tags(tag("k", &"v".repeat(257))).send().await)?;
    }
    "tag-key-empty": "A key is not empty." @ "API Tag, Key" => |aws| {
        let name = aws.role("r").await?;
        invalid(aws.iam.tag_role().role_name(&name).tags(tag("", "v")).send().await)?;
    }
    "tag-value-empty": "A value may be empty." @ "API Tag, Value" => |aws| {
        let name = aws.role("r").await?;
        aws.iam.tag_role().role_name(&name).tags(tag("k", "")).send().await?;
        same!(pairs(aws.get_role(&name).await?.tags()), [("k", "")]);
    }
    "tag-aws": "Keys that start with aws: are AWS's own." @ "User Guide: Tags for IAM resources, naming" => |aws| {
        let name = aws.role("r").await?;
        refused_as(aws.iam.tag_role().role_name(&name).tags(tag("aws:k", "v")).send().await, &[(400, "InvalidInput"), (400, "ValidationError")])?;
    }
    "tag-aws-case": "In any case." @ "User Guide: Tags for IAM resources, naming" => |aws| {
        let arn = aws.policy("p").await?;
        refused_as(aws.iam.tag_policy().policy_arn(&arn).tags(tag("AWS:k", "v")).send().await, &[(400, "InvalidInput"), (400, "ValidationError")])?;
    }
    "tag-signs": "Keys and values hold letters of any script, spaces and _.:/=+-@." @ "API Tag" => |aws| {
        let name = aws.role("r").await?;
        aws.iam.tag_role().role_name(&name).tags(tag("Größe/é _.:/=+-@", "日本 1")).send().await?;
        same!(pairs(aws.get_role(&name).await?.tags()), [("Größe/é _.:/=+-@", "日本 1")]);
    }
    "tag-bad-signs": "They hold no other signs." @ "API Tag" => |aws| {
        let name = aws.role("r").await?;
        invalid(aws.iam.tag_role().role_name(&name).tags(tag("k#", "v")).send().await)?;
        invalid(aws.iam.tag_role().role_name(&name).tags(tag("k", "v;")).send().await)?;
    }
    "tag-role-missing": "TagRole of what is not there is NoSuchEntity." @ "API TagRole, Errors" => |aws| {
        refused(aws.iam.tag_role().role_name(aws.name("r")).tags(tag("k", "v")).send().await, 404, "NoSuchEntity")?;
    }
    "tag-policy-missing": "TagPolicy of what is not there is NoSuchEntity." @ "API TagPolicy, Errors" => |aws| {
        let arn = aws.policy("p").await?;
        refused(aws.iam.tag_policy().policy_arn(format!("{arn}-gone")).tags(tag("k", "v")).send().await, 404, "NoSuchEntity")?;
    }
    "tag-profile-missing": "TagInstanceProfile of what is not there is NoSuchEntity." @ "API TagInstanceProfile, Errors" => |aws| {
        refused(aws.iam.tag_instance_profile().instance_profile_name(aws.name("i")).tags(tag("k", "v")).send().await, 404, "NoSuchEntity")?;
    }
    "untag-role": "UntagRole removes tags by key." @ "API UntagRole" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).tags(tag("a", "1")).tags(tag("b", "2")).send().await?;
        aws.iam.untag_role().role_name(&name).tag_keys("a").send().await?;
        same!(pairs(aws.get_role(&name).await?.tags()), [("b", "2")]);
    }
    "untag-absent": "Removing a tag that is not there is no error." @ "API UntagRole" => |aws| {
        let name = aws.role("r").await?;
        aws.iam.untag_role().role_name(&name).tag_keys("none").send().await?;
    }
    "untag-role-missing": "UntagRole of what is not there is NoSuchEntity." @ "API UntagRole, Errors" => |aws| {
        refused(aws.iam.untag_role().role_name(aws.name("r")).tag_keys("k").send().await, 404, "NoSuchEntity")?;
    }
    "untag-policy": "UntagPolicy removes tags by key." @ "API UntagPolicy" => |aws| {
        let arn = aws.policy("p").await?;
        aws.iam.tag_policy().policy_arn(&arn).tags(tag("a", "1")).tags(tag("b", "2")).send().await?;
        aws.iam.untag_policy().policy_arn(&arn).tag_keys("a").send().await?;
        same!(pairs(aws.get_policy(&arn).await?.tags()), [("b", "2")]);
    }
    "untag-profile": "UntagInstanceProfile removes tags by key." @ "API UntagInstanceProfile" => |aws| {
        let name = aws.profile("i").await?;
        aws.iam.tag_instance_profile().instance_profile_name(&name).tags(tag("a", "1")).tags(tag("b", "2")).send().await?;
        aws.iam.untag_instance_profile().instance_profile_name(&name).tag_keys("a").send().await?;
        same!(pairs(aws.get_profile(&name).await?.tags()), [("b", "2")]);
    }
    "list-role-tags": "ListRoleTags answers the tags." @ "API ListRoleTags" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).tags(tag("a", "1")).send().await?;
        same!(aws.iam.list_role_tags().role_name(&name).send().await?.tags(), [tag("a", "1")]);
    }
    "list-policy-tags": "ListPolicyTags answers the tags." @ "API ListPolicyTags" => |aws| {
        let arn = aws.policy("p").await?;
        aws.iam.tag_policy().policy_arn(&arn).tags(tag("a", "1")).send().await?;
        same!(aws.iam.list_policy_tags().policy_arn(&arn).send().await?.tags(), [tag("a", "1")]);
    }
    "list-profile-tags": "ListInstanceProfileTags answers the tags." @ "API ListInstanceProfileTags" => |aws| {
        let name = aws.profile("i").await?;
        aws.iam.tag_instance_profile().instance_profile_name(&name).tags(tag("a", "1")).send().await?;
        same!(aws.iam.list_instance_profile_tags().instance_profile_name(&name).send().await?.tags(), [tag("a", "1")]);
    }
    "list-role-tags-missing": "ListRoleTags of what is not there is NoSuchEntity." @ "API ListRoleTags, Errors" => |aws| {
        refused(aws.iam.list_role_tags().role_name(aws.name("r")).send().await, 404, "NoSuchEntity")?;
    }
    "list-role-tags-pages": "ListRoleTags answers pages." @ "API ListRoleTags, MaxItems" => |aws| {
        let name = aws.name("r");
        aws.create_role(&name).set_tags(Some(tags(3))).send().await?;
        let first = aws.iam.list_role_tags().role_name(&name).max_items(2).send().await?;
        hold!(first.is_truncated());
        same!(first.tags().len(), 2);
        let second = aws.iam.list_role_tags().role_name(&name).set_marker(first.marker).send().await?;
        same!(second.tags().len(), 1);
        hold!(!second.is_truncated());
    }
}
