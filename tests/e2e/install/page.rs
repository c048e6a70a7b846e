//! `docs/install.md`: its commands run as they stand there, in its order. Runs Helm and kubectl.

use std::sync::Arc;

use super::{NAME, Site};
use crate::docs::less_the_age;
use crate::docs::pages::{Mark, blocks};
use crate::support::asking::shell;
use crate::support::iam::{READ_S3, StandIn, client};
use crate::support::pods::{self, Cluster, ROOT};
use crate::support::{SOMEONE, Start, emulator};

/// A folder where the page's commands run, and a Helm that leads to the emulator.
fn desk(site: &Site) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["deploy", "crds"] {
        std::os::unix::fs::symlink(format!("{ROOT}/{folder}"), dir.path().join(folder)).unwrap();
    }
    let mut values = pods::values(&Start::default(), &StandIn::endpoint(&site.iam));
    values.as_object_mut().unwrap().remove("clusterName");
    std::fs::write(dir.path().join("emulator.json"), values.to_string()).unwrap();
    let helm = dir.path().join("helm");
    let script = "#!/bin/sh\ncase $1 in install|upgrade) exec \"$SMR_HELM\" \"$@\" --values emulator.json ;; *) exec \"$SMR_HELM\" \"$@\" ;; esac\n";
    std::fs::write(&helm, script).unwrap();
    std::fs::set_permissions(&helm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    dir
}

/// What a reader does in the first ten minutes, and after. The times are printed.
#[tokio::test]
async fn the_installation_goes_as_its_page_says() {
    const PAGE: &str = "docs/install.md";
    let site = Site {
        cluster: Arc::new(Cluster::start().await),
        // Of the page's cluster, not of the one whose calls the policy simulation judges.
        iam: emulator(None).await,
    };
    // The boundary that the page has made.
    let boundary = client(&StandIn::endpoint(&site.iam), SOMEONE);
    let policy = boundary
        .create_policy()
        .policy_name("session-manager-boundary");
    policy.policy_document(READ_S3).send().await.unwrap();
    let desk = desk(&site);
    let begun = std::time::Instant::now();
    let mut count = 0;
    for block in blocks(PAGE) {
        if !block.marks.contains(&Mark::Helm) {
            continue;
        }
        for command in &block.commands {
            let line = format!("PATH={}:$PATH; {}", desk.path().display(), command.text);
            let answer = shell(&site.cluster.plane, desk.path(), &line).await;
            let printed = answer.unwrap_or_else(|said| {
                panic!(
                    "{}: {}\n{said}\n{}",
                    block.place,
                    command.text,
                    site.cluster.logs(NAME)
                )
            });
            if !command.prints.is_empty() {
                assert_eq!(
                    less_the_age(&printed),
                    less_the_age(&command.prints),
                    "{}",
                    block.place
                );
            }
            let first = command.text.lines().next().unwrap_or_default();
            println!("{:>5.1} s  {first}", begun.elapsed().as_secs_f64());
            count += 1;
        }
    }
    assert!(count >= 14, "{count} commands: is this the page?");
    let account = site.iam.emulator().snapshot();
    assert!(account.roles["demo.minimal"].boundary.is_some());
}
