//! Two hundred roles in one commit: what they cost the API server and Argo CD, and that they cost
//! nothing more once they have converged. Does network IO.

use std::time::Instant;

use crate::site::{Site, manifest};
use crate::support::Start;

const ROLES: usize = 200;
/// How often our controller looks twice at IAM while nothing more is to happen.
const LOOKS: usize = 5;

/// What may not grow.
#[derive(Debug, PartialEq)]
struct Cost {
    writes: usize,
    reconciliations: u64,
    syncs: u64,
}

async fn cost(site: &Site) -> Cost {
    let label = format!("name=\"{}\"", site.name);
    Cost {
        writes: site.world.cluster_writes(),
        // Of all Applications: no other one is at work now.
        reconciliations: site.argo.metric("argocd_app_reconcile_count", "").await,
        syncs: site.argo.metric("argocd_app_sync_total", &label).await,
    }
}

#[tokio::test]
async fn two_hundred_roles_in_one_commit() {
    let start = Start::default().flag("--iam-requests-per-second=100");
    let site = Site::alone("many", &start).await;
    let texts: Vec<_> = (0..ROLES)
        .map(|number| {
            let name = format!("web-{number:03}");
            let text = manifest(&name, "{tags: {team: web}}");
            (format!("{name}.yaml"), text)
        })
        .collect();
    let files: Vec<_> = (texts.iter())
        .map(|(file, text)| (file.as_str(), Some(text.as_str())))
        .collect();
    let before = cost(&site).await;
    let begun = Instant::now();
    let seen = site.watch(|_| ()).await;
    site.synced("Two hundred roles", &files).await;
    let took = begun.elapsed();
    seen.print("two hundred roles in one commit");
    let account = site.world.account();
    assert_eq!(account.roles.len(), ROLES);
    assert_eq!(account.policies.len(), ROLES);
    assert_eq!(account.instance_profiles.len(), ROLES);
    for profile in account.instance_profiles.values() {
        assert!(profile.role.is_some(), "{profile:?}");
    }
    // What was on its way when the last one became healthy still counts.
    let mut converged = cost(&site).await;
    for round in 0.. {
        assert!(round < 20, "it does not come to rest: {converged:?}");
        site.world.another_look().await;
        let now = cost(&site).await;
        if now == converged {
            break;
        }
        converged = now;
    }
    println!(
        "{ROLES} roles: all Healthy after {:.1} s; {} writes of ours to the API server, {} reconciliations \
         by Argo CD, {} sync",
        took.as_secs_f64(),
        converged.writes - before.writes,
        converged.reconciliations - before.reconciliations,
        converged.syncs - before.syncs,
    );
    assert!(converged.reconciliations > before.reconciliations);
    let begun = Instant::now();
    for _ in 0..LOOKS {
        site.world.another_look().await;
    }
    let after = cost(&site).await;
    println!("{} s later:", begun.elapsed().as_secs());
    println!("  before {converged:?}\n  after  {after:?}");
    assert_eq!(after, converged, "it grows");
}
