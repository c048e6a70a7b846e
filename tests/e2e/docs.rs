//! The commands of README and the docs that need a cluster: the pages in, what kubectl answers on a real
//! control plane, in the state that README shows, out. Runs kubectl, starts the program.

use crate::support::asking::shell;
use crate::support::{Start, World, emulator, iam, plane};

#[path = "../support/docs.rs"]
#[allow(dead_code)] // Other tests run other blocks.
pub mod pages;

use pages::{Block, Mark, blocks, root};

/// The namespace that the pages show.
const NAMESPACE: &str = "demo";
const LAMBDA_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// What `uninstall.rs` and `install/page.rs` follow, heading by heading.
fn is_followed_elsewhere(page: &str, block: &Block) -> bool {
    ["docs/uninstall.md", "docs/install.md"].contains(&page) && !block.marks.is_empty()
}

/// The cluster and the account of `make demo`: three samples, a role of someone else, a drift that was
/// repaired.
async fn as_the_pages_show_it() -> World {
    let plane = plane().await;
    for arguments in [
        &["create", "namespace", NAMESPACE][..],
        &["apply", "-n", NAMESPACE, "-k", "deploy/samples"],
        // What Argo CD has where it is installed.
        &["create", "namespace", "argocd"],
        &["create", "configmap", "argocd-cm", "-n", "argocd"],
    ] {
        let arguments: Vec<String> = (arguments.iter())
            .map(|word| word.replace("deploy/", &format!("{}/deploy/", root().display())))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        plane.kubectl(&arguments).await.unwrap();
    }
    // The path and the cluster's name are not those of the policy that is simulated.
    let world = World::on(plane, NAMESPACE.to_owned(), emulator(None).await).await;
    let someone = iam::client(&world.iam.endpoint(), crate::support::SOMEONE);
    let taken = format!("{NAMESPACE}.taken");
    someone
        .create_role()
        .role_name(&taken)
        .assume_role_policy_document(LAMBDA_TRUST)
        .send()
        .await
        .unwrap();
    let world = world.running(&Start::default());
    for name in ["minimal", "web-fleet", "datacenter"] {
        world.ready(name).await;
    }
    someone
        .update_assume_role_policy()
        .role_name(format!("{NAMESPACE}.minimal"))
        .policy_document(LAMBDA_TRUST)
        .send()
        .await
        .unwrap();
    world.event("minimal", "Repaired").await;
    world.apply("taken", "{}").await;
    world.reason("taken", "NotOwned").await;
    world
}

/// Without the last column, which is an age.
pub fn less_the_age(table: &str) -> Vec<Vec<&str>> {
    (table.lines())
        .map(|line| {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            words.pop();
            words
        })
        .collect()
}

#[tokio::test]
async fn commands_that_need_a_cluster_run_as_they_stand_there() {
    let world = as_the_pages_show_it().await;
    let mut count = 0;
    for page in pages::pages() {
        for block in blocks(&page) {
            if !block.marks.contains(&Mark::Cluster) || is_followed_elsewhere(&page, &block) {
                continue;
            }
            for command in &block.commands {
                let (line, prints) = (&command.text, command.prints.as_str());
                let refused = prints.contains(" is invalid: ");
                let answer = shell(&world.plane, root(), line).await;
                assert_eq!(
                    answer.is_err(),
                    refused,
                    "{}: {line}\n{answer:?}",
                    block.place
                );
                let printed = answer.unwrap_or_else(|said| said);
                let is_table = |what: &str| line.starts_with(&format!("kubectl get {what} -n"));
                if is_table("events") {
                    // When and in which order things happened is another each time.
                    assert!(printed.contains("sessionmanagerrole/minimal"), "{printed}");
                } else if is_table("smr") && !line.contains("jsonpath") {
                    assert_eq!(
                        less_the_age(&printed),
                        less_the_age(prints),
                        "{}",
                        block.place
                    );
                } else if !prints.is_empty() {
                    let words = |text: &str| {
                        text.split_whitespace()
                            .map(str::to_owned)
                            .collect::<Vec<_>>()
                    };
                    assert_eq!(words(&printed), words(prints), "{}", block.place);
                }
                count += 1;
            }
        }
    }
    assert!(count >= 5, "{count} commands: are these the pages?");
    for name in ["minimal", "web-fleet", "datacenter", "taken"] {
        world.delete(name).await;
        world.gone(name).await;
    }
    let after = shell(
        &world.plane,
        root(),
        "kubectl delete configmap argocd-cm -n argocd",
    )
    .await;
    after.unwrap();
}
