//! What goes from Git goes from IAM, when it may; and a whole Application does. Does network IO.

use crate::site::{Site, View, annotated, manifest};
use crate::support::iam::{LAMBDA_TRUST, READ_S3, tag};

#[tokio::test]
async fn a_file_that_is_removed_takes_its_role_along() {
    let site = Site::start("prune").await;
    let text = manifest("web", "{tags: {team: web}}");
    let keep = manifest("keep", "{}");
    let files = [
        ("web.yaml", Some(text.as_str())),
        ("keep.yaml", Some(keep.as_str())),
    ];
    site.synced("Add roles", &files).await;
    let seen = site.watch(|_| ()).await;
    site.synced("Remove one", &[("web.yaml", None)]).await;
    seen.print("a file is removed");
    site.argocd("get", &[]).await;
    assert!(site.world.get("web").await.is_none());
    let left = site.world.account();
    let kept = format!("{}.keep", site.world.namespace);
    assert_eq!(left.roles.keys().collect::<Vec<_>>(), [&kept]);
    assert_eq!(left.policies.keys().collect::<Vec<_>>(), [&kept]);
    assert_eq!(left.instance_profiles.keys().collect::<Vec<_>>(), [&kept]);

    // Argo CD empties no Application by itself: a person does.
    let commit = site
        .commit("Remove the other", &[("keep.yaml", None)])
        .await;
    let refuses = "auto-sync will wipe out all resources";
    site.eventually("Argo CD does not sync", async |site| {
        let application = site.api().get(&site.name).await.unwrap();
        let conditions = application.data["status"]["conditions"].to_string();
        View::of(&application).revision == commit && conditions.contains(refuses)
    })
    .await;
    let printed = site.argocd("get", &[]).await;
    assert!(printed.contains(refuses), "{printed}");
    assert_eq!(site.world.account(), left);
    site.argocd("sync", &["--prune"]).await;
    site.until("Synced and Healthy with nothing", |v| {
        v.is("Synced", "Healthy")
    })
    .await;
    assert!(site.world.account().is_empty());
}

/// Argo CD does not ask a health script about an object that is on its way out: it calls it
/// Progressing, and tries again. Why it does not go is told by what Argo CD shows of the role itself: its
/// events and its conditions.
#[tokio::test]
async fn a_deletion_that_is_blocked_says_why() {
    let site = Site::start("blocked").await;
    let text = manifest("web", "{}");
    let keep = manifest("keep", "{}");
    let files = [
        ("web.yaml", Some(text.as_str())),
        ("keep.yaml", Some(keep.as_str())),
    ];
    site.synced("Add roles", &files).await;
    let name = format!("{}.web", site.world.namespace);
    let someone = site.world.someone();
    let profile = someone.create_instance_profile();
    profile
        .instance_profile_name("theirs")
        .send()
        .await
        .unwrap();
    let add = someone.add_role_to_instance_profile();
    let add = add.instance_profile_name("theirs").role_name(&name);
    add.send().await.unwrap();
    let commit = site.commit("Remove it", &[("web.yaml", None)]).await;
    site.until("it is being deleted", |v| {
        v.revision == commit && v.is("OutOfSync", "Progressing")
    })
    .await;
    let told = std::cell::RefCell::new(String::new());
    site.eventually("Argo CD shows why", async |site| {
        let events = site.events_of("web").await;
        let why = events
            .into_iter()
            .find(|(reason, _)| reason == "DeletionBlocked");
        *told.borrow_mut() = why.map(|(_, message)| message).unwrap_or_default();
        !told.borrow().is_empty()
    })
    .await;
    let told = told.into_inner();
    let why =
        format!("{name} is in the instance profile theirs, which is not ours: take it out there");
    assert!(told.ends_with(&why), "{told}");
    let printed = site.argocd("get", &["--output", "tree=detailed"]).await;
    assert!(printed.contains("Pending deletion"), "{printed}");
    let role = [
        "--kind=SessionManagerRole",
        "--resource-name=web",
        "--filter-fields=status.conditions",
    ];
    let printed = site.argocd("get-resource", &role).await;
    assert!(printed.contains(&told), "{printed}");
    assert!(site.world.account().roles.contains_key(&name));

    let remove = someone.remove_role_from_instance_profile();
    let remove = remove.instance_profile_name("theirs").role_name(&name);
    remove.send().await.unwrap();
    site.world.ask("web").await;
    site.until("Synced and Healthy", |v| {
        v.revision == commit && v.is("Synced", "Healthy")
    })
    .await;
    let left = site.world.account();
    let kept = format!("{}.keep", site.world.namespace);
    assert_eq!(left.roles.keys().collect::<Vec<_>>(), [&kept]);
    assert_eq!(left.policies.keys().collect::<Vec<_>>(), [&kept]);
    let profiles: Vec<_> = left.instance_profiles.keys().map(String::as_str).collect();
    assert_eq!(profiles, [kept.as_str(), "theirs"]);
}

#[tokio::test]
async fn with_confirmation_a_person_decides() {
    let site = Site::start("confirm").await;
    let options = "{argocd.argoproj.io/sync-options: 'Prune=confirm,Delete=confirm'}";
    let text = annotated("web", options, "{}");
    let keep = manifest("keep", "{}");
    let files = [
        ("web.yaml", Some(text.as_str())),
        ("keep.yaml", Some(keep.as_str())),
    ];
    site.synced("Add roles", &files).await;
    let account = site.world.account();
    // Nothing else of the Application is synced meanwhile, what comes by the same commit included.
    let other = manifest("other", "{}");
    let files = [("web.yaml", None), ("other.yaml", Some(other.as_str()))];
    let commit = site.commit("Remove it, add another", &files).await;
    let waits =
        "Waiting for pruning confirmation of sessionmanager.dev/v1alpha1/SessionManagerRole/web";
    site.until("the operation waits for a person", |v| {
        v.revision == commit && v.phase == "Running" && v.message == waits
    })
    .await;
    let printed = site.argocd("get", &["--show-operation"]).await;
    assert!(printed.contains(waits), "{printed}");
    // It waits however often it is asked.
    site.refresh("normal").await;
    site.refresh("hard").await;
    let object = site.world.get("web").await.unwrap();
    assert!(object.metadata.deletion_timestamp.is_none());
    assert!(site.world.get("other").await.is_none());
    assert_eq!(site.world.account(), account);

    site.argocd("confirm-deletion", &[]).await;
    site.until("Synced and Healthy", |v| {
        v.revision == commit && v.is("Synced", "Healthy") && v.phase == "Succeeded"
    })
    .await;
    assert!(site.world.get("web").await.is_none());
    let (namespace, left) = (&site.world.namespace, site.world.account().roles);
    let names = ["keep", "other"].map(|role| format!("{namespace}.{role}"));
    assert_eq!(left.keys().collect::<Vec<_>>(), names.each_ref());

    // The same where the whole Application goes. The word given holds for what began before it.
    site.annotate("argocd.argoproj.io/deletion-approved", None)
        .await;
    site.synced("Add it again", &[("web.yaml", Some(&text))])
        .await;
    let account = site.world.account();
    site.delete_cascading().await;
    site.eventually("Argo CD waits for a person", async |site| {
        let log = site.argo.log("argocd-application-controller");
        log.lines()
            .any(|l| l.contains(&site.name) && l.contains("requires manual confirmation to delete"))
    })
    .await;
    let object = site.world.get("web").await.unwrap();
    assert!(object.metadata.deletion_timestamp.is_none());
    assert_eq!(site.world.account(), account);
    site.argocd("confirm-deletion", &[]).await;
    site.gone().await;
    assert!(site.world.account().is_empty());
}

#[tokio::test]
async fn an_application_that_goes_takes_what_is_ours_and_nothing_else() {
    let site = Site::start("cascade").await;
    let someone = site.world.someone();
    // Of others, under our path: someone's own, one of a similar name, and another cluster's.
    let names = ["theirs", "cascade.web", "another-clusters"];
    for name in names {
        let tags = [
            tag("sessionmanager.dev/cluster", "another"),
            tag("sessionmanager.dev/owner", &format!("{}/web", site.name)),
        ];
        let tags = (name == "another-clusters").then(|| tags.to_vec());
        let role = someone
            .create_role()
            .role_name(name)
            .path("/session-manager/")
            .set_tags(tags);
        let role = role.assume_role_policy_document(LAMBDA_TRUST);
        role.send().await.unwrap();
        let policy = someone
            .create_policy()
            .policy_name(name)
            .path("/session-manager/");
        let policy = policy.policy_document(READ_S3).send().await.unwrap();
        let arn = policy.policy.unwrap().arn.unwrap();
        let attach = someone.attach_role_policy().role_name(name).policy_arn(arn);
        attach.send().await.unwrap();
        let profile = someone.create_instance_profile();
        let profile = profile
            .instance_profile_name(name)
            .path("/session-manager/");
        profile.send().await.unwrap();
        let add = someone.add_role_to_instance_profile();
        let add = add.instance_profile_name(name).role_name(name);
        add.send().await.unwrap();
    }
    let theirs = serde_json::to_string(&site.world.account()).unwrap();
    let specs = [
        ("web", "{}"),
        ("db", "{policy: {type: Inline}}"),
        ("datacenter", "{principal: HybridActivation}"),
    ];
    let texts = specs.map(|(name, spec)| (format!("{name}.yaml"), manifest(name, spec)));
    let files: Vec<_> = (texts.iter())
        .map(|(file, text)| (file.as_str(), Some(text.as_str())))
        .collect();
    site.synced("Add roles", &files).await;
    assert_eq!(site.world.account().roles.len(), names.len() + specs.len());
    site.delete_cascading().await;
    site.gone().await;
    for (name, _) in specs {
        assert!(site.world.get(name).await.is_none(), "{name}");
    }
    let left = serde_json::to_string(&site.world.account()).unwrap();
    assert_eq!(left, theirs);
}
