//! Nothing is changed or deleted that is not proven ours.

use std::future::Future;

use crate::support::iam::{LAMBDA_TRUST, READ_S3, tag};
use crate::support::{World, scenarios};
use iam_emulator::Snapshot;

/// Lets someone else make an object of our name first, and sees that it stays as it is.
async fn refused<F: Future<Output = String>>(
    world: &World,
    name: &str,
    make: impl FnOnce(String) -> F,
    pick: impl Fn(&Snapshot, &str) -> serde_json::Value,
) {
    let foreign = make(format!("{}.{name}", world.namespace)).await;
    let before = pick(&world.account(), &foreign);
    assert!(!before.is_null(), "{foreign} is not there");
    world.apply(name, "{}").await;
    let message = world.reason(name, "NotOwned").await;
    assert!(
        message.contains(&foreign),
        "{message} does not name {foreign}"
    );
    assert_eq!(pick(&world.account(), &foreign), before);
    world.delete(name).await;
    world.gone(name).await;
    assert!(world.event(name, "Released").await.contains(&foreign));
    assert_eq!(pick(&world.account(), &foreign), before);
    // Not one write to it, from first to last.
    let touched: Vec<_> = (world.writes().into_iter())
        .filter(|c| c.outcome == "ok" && !c.action.starts_with("Create"))
        .filter(|c| c.params.values().any(|v| v.ends_with(&foreign)))
        .filter(|c| names_it(c, &before))
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
    // All of ours is gone.
    let left = world.account();
    assert_eq!(
        left.roles.len() + left.policies.len() + left.instance_profiles.len(),
        1,
        "{left:?}"
    );
    clear(world, &foreign).await;
}

/// Ours beside a foreign object have the same name: a call is about the foreign one by its kind.
fn names_it(call: &iam_emulator::Call, foreign: &serde_json::Value) -> bool {
    let arn = foreign["arn"].as_str().unwrap_or_default();
    match () {
        () if arn.contains(":role/") => {
            call.params.contains_key("RoleName") && !call.action.contains("InstanceProfile")
        }
        () if arn.contains(":policy/") => call.params.get("PolicyArn").is_some_and(|a| a == arn),
        () => call.params.contains_key("InstanceProfileName"),
    }
}

async fn clear(world: &World, foreign: &str) {
    let someone = world.someone();
    let account = world.account();
    if let Some(policy) = account.policies.get(foreign) {
        someone
            .delete_policy()
            .policy_arn(&policy.arn)
            .send()
            .await
            .unwrap();
    }
    if account.roles.contains_key(foreign) {
        someone
            .delete_role()
            .role_name(foreign)
            .send()
            .await
            .unwrap();
    }
    if account.instance_profiles.contains_key(foreign) {
        someone
            .delete_instance_profile()
            .instance_profile_name(foreign)
            .send()
            .await
            .unwrap();
    }
}

fn role(account: &Snapshot, name: &str) -> serde_json::Value {
    serde_json::to_value(account.roles.get(name)).unwrap()
}

fn policy(account: &Snapshot, name: &str) -> serde_json::Value {
    serde_json::to_value(account.policies.get(name)).unwrap()
}

fn profile(account: &Snapshot, name: &str) -> serde_json::Value {
    serde_json::to_value(account.instance_profiles.get(name)).unwrap()
}

/// Under our path and name, in another case, under another path.
const WHERE: [(&str, &str, bool); 3] = [
    ("same", "/session-manager/", false),
    ("case", "/session-manager/", true),
    ("path", "/elsewhere/", false),
];

fn spelled(name: &str, upper: bool) -> String {
    if upper {
        name.to_uppercase()
    } else {
        name.to_owned()
    }
}

#[tokio::test]
async fn foreign_objects_stay_as_iam_answers_them() {
    let world = World::start("foreign").await;
    scenarios::foreign_objects_stay(&world).await;
    scenarios::a_foreign_role_in_another_case_stays(&world).await;
}

#[tokio::test]
async fn a_foreign_role_stays_as_it_is() {
    let world = World::start("foreignrole").await;
    for (name, path, upper) in WHERE {
        let make = async |ours: String| {
            let ours = spelled(&ours, upper);
            let create = world
                .someone()
                .create_role()
                .role_name(&ours)
                .path(path)
                .assume_role_policy_document(LAMBDA_TRUST);
            create
                .tags(tag("sessionmanager.dev/cluster", "another"))
                .send()
                .await
                .unwrap();
            ours
        };
        refused(&world, name, make, role).await;
    }
}

#[tokio::test]
async fn a_foreign_policy_stays_as_it_is() {
    let world = World::start("foreignpolicy").await;
    for (name, path, upper) in WHERE {
        let make = async |ours: String| {
            let ours = spelled(&ours, upper);
            world
                .someone()
                .create_policy()
                .policy_name(&ours)
                .path(path)
                .policy_document(READ_S3)
                .send()
                .await
                .unwrap();
            ours
        };
        refused(&world, name, make, policy).await;
    }
}

#[tokio::test]
async fn a_foreign_instance_profile_stays_as_it_is() {
    let world = World::start("foreignprofile").await;
    for (name, path, upper) in WHERE {
        let make = async |ours: String| {
            let ours = spelled(&ours, upper);
            world
                .someone()
                .create_instance_profile()
                .instance_profile_name(&ours)
                .path(path)
                .send()
                .await
                .unwrap();
            ours
        };
        refused(&world, name, make, profile).await;
    }
}

#[tokio::test]
async fn two_objects_that_ask_for_one_name_are_told_of_each_other() {
    let world = World::start("twice").await;
    world.apply("first", "{role: {name: shared-name}}").await;
    world.ready("first").await;
    world
        .apply(
            "second",
            "{role: {name: shared-name}, policy: {name: second}, instanceProfile: {name: second}}",
        )
        .await;
    let message = world.reason("second", "NotOwned").await;
    assert!(
        message.contains("SessionManagerRole first of this namespace"),
        "{message}"
    );
    world.delete("second").await;
    world.gone("second").await;
    world.another_look().await;
    world.ready("first").await;
    assert!(world.account().roles.contains_key("shared-name"));
}

#[tokio::test]
async fn a_role_made_anew_by_someone_else_is_replaced_and_left_alone() {
    let world = World::start("replaced").await;
    world.apply("web", "{principal: HybridActivation}").await;
    world.ready("web").await;
    let name = format!("{}.web", world.namespace);
    let arn = world.account().policies[&name].arn.clone();
    // While nobody looks, or the controller would mend the half-way state.
    world
        .annotate("web", "sessionmanager.dev/paused", Some("true"))
        .await;
    world
        .status_of("web", "paused", |s| crate::support::is(s, "Paused", "True"))
        .await;
    let someone = world.someone();
    someone
        .detach_role_policy()
        .role_name(&name)
        .policy_arn(arn)
        .send()
        .await
        .unwrap();
    someone.delete_role().role_name(&name).send().await.unwrap();
    someone
        .create_role()
        .role_name(&name)
        .assume_role_policy_document(LAMBDA_TRUST)
        .send()
        .await
        .unwrap();
    let before = role(&world.account(), &name);
    world
        .annotate("web", "sessionmanager.dev/paused", None)
        .await;
    let message = world.reason("web", "Replaced").await;
    assert!(message.contains("made anew by someone else"), "{message}");
    world.delete("web").await;
    world.gone("web").await;
    assert_eq!(role(&world.account(), &name), before);
    assert!(
        world.account().policies.is_empty(),
        "our policy beside it goes"
    );
}

#[tokio::test]
async fn adoption_takes_consent_on_both_sides() {
    let world = World::start("adopt").await;
    let name = format!("{}.web", world.namespace);
    let consent = format!("test/{}/web", world.namespace);
    let create = world
        .someone()
        .create_role()
        .role_name(&name)
        .path("/session-manager/")
        .assume_role_policy_document(LAMBDA_TRUST);
    create.tags(tag("keep", "me")).send().await.unwrap();
    world.apply("web", "{adoptionPolicy: WithConsent}").await;
    world.reason("web", "NotOwned").await;
    world
        .someone()
        .tag_role()
        .role_name(&name)
        .tags(tag("sessionmanager.dev/adoptable-by", &consent))
        .send()
        .await
        .unwrap();
    world
        .annotate(
            "web",
            "sessionmanager.dev/reconcile-requested-at",
            Some("now"),
        )
        .await;
    let object = world.ready("web").await;
    assert_eq!(
        object.status.unwrap().last_handled_reconcile_at.as_deref(),
        Some("now")
    );
    assert!(world.event("web", "Adopted").await.contains("role"));
    let role = &world.account().roles[&name];
    assert!(role.trust.contains("ec2.amazonaws.com"));
    assert_eq!(role.tags.get("keep").map(String::as_str), Some("me"));
    assert!(role.tags.contains_key("sessionmanager.dev/owner"));
    assert!(
        !role.tags.contains_key("sessionmanager.dev/adoptable-by"),
        "consent is used up"
    );
}

/// The way that `smr plan --from` gives for a rename in Kubernetes: nothing in IAM is made anew.
#[tokio::test]
async fn a_renamed_object_takes_over_what_its_former_self_retained() {
    let world = World::start("rename").await;
    let fleet = format!("{}-fleet", world.namespace);
    let spec = |more: &str| format!("{{role: {{name: {fleet}}}, {more}}}");
    world.apply("old", &spec("deletionPolicy: Delete")).await;
    world.ready("old").await;
    let ids = |account: &Snapshot| {
        let (role, profile) = (&account.roles[&fleet], &account.instance_profiles[&fleet]);
        let policy = &account.policies[&fleet];
        [&role.id, &policy.id, &profile.id].map(Clone::clone)
    };
    let before = ids(&world.account());
    world.apply("old", &spec("deletionPolicy: Retain")).await;
    world.delete("old").await;
    world.gone("old").await;
    let consenting = spec("adoptionPolicy: WithConsent");
    world.apply("new", &consenting).await;
    world.reason("new", "NotOwned").await;
    let consent = tag(
        "sessionmanager.dev/adoptable-by",
        &format!("test/{}/new", world.namespace),
    );
    let someone = world.someone();
    let role = someone.tag_role().role_name(&fleet);
    role.tags(consent.clone()).send().await.unwrap();
    let arn = world.account().policies[&fleet].arn.clone();
    let policy = someone.tag_policy().policy_arn(arn);
    policy.tags(consent.clone()).send().await.unwrap();
    let profile = someone.tag_instance_profile();
    let profile = profile.instance_profile_name(&fleet).tags(consent);
    profile.send().await.unwrap();
    let request = "sessionmanager.dev/reconcile-requested-at";
    world.annotate("new", request, Some("now")).await;
    world.ready("new").await;
    assert_eq!(ids(&world.account()), before, "nothing was made anew");
    assert!(world.event("new", "Adopted").await.contains("role"));
}

#[tokio::test]
async fn what_others_use_blocks_deletion_and_is_named() {
    let world = World::start("blocked").await;
    scenarios::what_others_use_blocks_deletion(&world).await;
    let theirs = format!("role-of-{}", world.namespace);
    let account = world.account();
    assert_eq!(account.roles.keys().collect::<Vec<_>>(), [&theirs]);
}
