//! The way to the API server: through proxies, and where there is none.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::network::CountingProxy;
use crate::support::{KEY, Start, World};

/// `smr plan` of one object with the cluster, in this environment; what it notes.
async fn plan_notes(world: &World, env: &[(&str, &str)]) -> String {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(
        &file,
        "{apiVersion: sessionmanager.dev/v1alpha1, kind: SessionManagerRole, metadata: {name: web}, spec: {}}",
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_smr"))
        .args(["plan", "--cluster-name=test", "-n", &world.namespace, "-f"])
        .arg(file.path())
        .env_clear()
        .env("KUBECONFIG", world.plane.admin_kubeconfig())
        .env("AWS_ENDPOINT_URL", world.iam.endpoint())
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        .env("AWS_REGION", "us-east-1")
        .envs(env.iter().copied())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    (text.lines().filter(|line| line.starts_with("Note:")))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The same kubeconfig with a `proxy-url`.
fn with_proxy(kubeconfig: &Path, url: &str, directory: &TempDir) -> PathBuf {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let mut config: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    config["clusters"][0]["cluster"]["proxy-url"] = url.into();
    let path = directory.path().join("kubeconfig");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

/// The API server of a test is on this machine, and that is never reached through HTTPS_PROXY, as with
/// kubectl: a `proxy-url` is what leads there.
#[tokio::test]
async fn both_sides_go_through_the_proxy_but_for_what_no_proxy_names() {
    let mut world = World::unrecorded("proxy").await;
    let proxy = CountingProxy::start().await;
    let (url, directory) = (proxy.url(), tempfile::tempdir().unwrap());
    let (cluster, iam) = (
        format!("127.0.0.1:{}", world.plane.port()),
        world.iam.addr().to_string(),
    );
    let own = world
        .plane
        .service_account_kubeconfig("session-manager-role", "session-manager-role")
        .await
        .unwrap();
    let proxied = Start {
        kubeconfig: Some(with_proxy(&own, &url, &directory)),
        ..Start::default()
    };
    let proxied = proxied.env("HTTPS_PROXY", &url).env("HTTP_PROXY", &url);
    world.run(&proxied);
    world.apply("web", "{}").await;
    world.ready("web").await;
    assert!(proxy.passed(&cluster) > 0, "the cluster, without the proxy");
    assert!(proxy.passed(&iam) > 0, "IAM, without the proxy");
    world.kill().await;
    let before = (proxy.passed(&cluster), proxy.passed(&iam));
    let direct = Start {
        kubeconfig: None,
        ..proxied
    };
    world.run(&direct.env("NO_PROXY", "127.0.0.1"));
    world.apply("more", "{}").await;
    world.ready("more").await;
    assert_eq!((proxy.passed(&cluster), proxy.passed(&iam)), before);
    world.kill().await;

    // A laptop behind a proxy, with a cluster of its own.
    let env = [("HTTPS_PROXY", url.as_str())];
    assert_eq!(plan_notes(&world, &env).await, "");
    assert_eq!(proxy.passed(&cluster), before.0);
}

#[tokio::test]
async fn a_watch_that_fails_is_logged_with_its_cause_in_one_line() {
    let world = World::unrecorded("watch").await;
    let nowhere = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    let kubeconfig = "{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {token: t}}]}";
    std::fs::write(&nowhere, kubeconfig).unwrap();
    let start = Start {
        kubeconfig: Some(nowhere.path().to_owned()),
        ..Start::default().flag("--cluster-uid=known-without-asking")
    };
    let world = world.running(&start);
    let failures = |log: &str| {
        let lines = log
            .lines()
            .filter(|line| line.contains("Connection refused"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    world
        .eventually("the watch has failed twice", async || {
            failures(&world.log()).len() >= 2
        })
        .await;
    let log = world.log();
    for line in failures(&log) {
        assert!(
            line.contains("WARN") && line.contains("cannot watch SessionManagerRoles"),
            "{log}"
        );
    }
    let loud = log
        .lines()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"));
    assert_eq!(loud.count(), failures(&log).len(), "{log}");
}
