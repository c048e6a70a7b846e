//! How the program reaches the cluster: environment and kubeconfig in, kube's configuration out; and
//! what kube's errors mean. Reads the files that kube reads; no network IO.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use kube::Config;
use kube::config::{InferConfigError, KubeConfigOptions, Kubeconfig};

/// The configuration that kubectl would use, else that of the pod.
///
/// kube 5.0.0 compares NO_PROXY with the proxy's own URL, not with the cluster's
/// (`kube-client/src/config/file_loader.rs`, `proxy_url`), so a cluster that NO_PROXY names would be
/// reached through the proxy. Here the cluster's URL decides, as in kubectl: a `proxy-url` of the
/// kubeconfig always holds, HTTPS_PROXY where NO_PROXY does not name the cluster. In a pod kube takes
/// no proxy to its own API server.
pub async fn config() -> Result<Config, InferConfigError> {
    let Ok(mut kubeconfig) = Kubeconfig::read() else {
        return Config::infer().await;
    };
    let own = own_proxy(&kubeconfig);
    keep_from_the_environment(&mut kubeconfig);
    match Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await {
        Ok(mut config) => {
            config.proxy_url = own.or_else(|| {
                proxy_of_environment(&config.cluster_url, |name| std::env::var(name).ok())
            });
            Ok(config)
        }
        // Finds the pod's, or says what is wrong with both.
        Err(_) => Config::infer().await,
    }
}

/// kube reads HTTPS_PROXY and NO_PROXY where a cluster has no `proxy-url`, and refuses a list that ends
/// with a comma.
fn keep_from_the_environment(kubeconfig: &mut Kubeconfig) {
    let clusters = kubeconfig.clusters.iter_mut();
    for cluster in clusters.filter_map(|named| named.cluster.as_mut()) {
        let unused = || "http://localhost".to_owned();
        cluster.proxy_url.get_or_insert_with(unused);
    }
}

/// `proxy-url` of the current context's cluster. One that does not parse is kube's to refuse.
fn own_proxy(kubeconfig: &Kubeconfig) -> Option<Uri> {
    let current = kubeconfig.current_context.as_ref()?;
    let context = kubeconfig.contexts.iter().find(|c| c.name == *current)?;
    let cluster = &context.context.as_ref()?.cluster;
    let cluster = kubeconfig.clusters.iter().find(|c| c.name == *cluster)?;
    let url = cluster.cluster.as_ref()?.proxy_url.as_ref()?;
    url.parse().ok()
}

/// HTTPS_PROXY, where NO_PROXY does not name the cluster's host.
fn proxy_of_environment(cluster: &Uri, read: impl Fn(&str) -> Option<String>) -> Option<Uri> {
    let first = |names: [&str; 2]| {
        let set = names.into_iter().filter_map(&read);
        set.into_iter().find(|value| !value.is_empty())
    };
    let proxy = first(["HTTPS_PROXY", "https_proxy"])?;
    // `proxy:3128` is what Go takes too.
    let proxy: Uri = if proxy.contains("://") {
        proxy.parse().ok()?
    } else {
        format!("http://{proxy}").parse().ok()?
    };
    if is_this_machine(cluster) {
        return None;
    }
    let exceptions = first(["NO_PROXY", "no_proxy"]).unwrap_or_default();
    // The matcher takes this for every name, and for no address.
    if exceptions.split(',').any(|entry| entry.trim() == "*") {
        return None;
    }
    // The AWS SDK's matcher, so that both sides read NO_PROXY in the same way.
    let matcher = Matcher::builder().all("http://any").no(exceptions).build();
    matcher.intercept(cluster).map(|_| proxy)
}

/// As in Go, and so in kubectl, nothing on this machine is reached through a proxy of the environment.
fn is_this_machine(cluster: &Uri) -> bool {
    let host = cluster.host().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

/// Why a request to the API server failed, in one line: the API server's own words, else what is at
/// the bottom of the error, which is what helps.
pub fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut here = error;
    loop {
        if let Some(kube::Error::Api(status)) = here.downcast_ref::<kube::Error>() {
            return status.message.clone();
        }
        match here.source() {
            Some(source) => here = source,
            None => return here.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "http://user:secret@proxy:3128";

    fn through(cluster: &'static str, env: &[(&str, &str)]) -> Option<String> {
        let found = proxy_of_environment(&Uri::from_static(cluster), |name| {
            let set = env.iter().find(|(key, _)| *key == name);
            set.map(|(_, value)| (*value).to_owned())
        });
        found.map(|uri| uri.to_string().trim_end_matches('/').to_owned())
    }

    #[test]
    fn no_proxy_is_compared_with_the_clusters_host() {
        let cluster = "https://10.0.0.1:6443";
        let with =
            |exceptions| through(cluster, &[("HTTPS_PROXY", PROXY), ("NO_PROXY", exceptions)]);
        assert_eq!(through(cluster, &[]), None);
        for bypassing in ["10.0.0.1", "10.0.0.0/8", "*", "example.com,10.0.0.1"] {
            assert_eq!(with(bypassing), None, "{bypassing}");
        }
        // The proxy's own host is not what is compared.
        for passing in ["", "proxy", "10.0.0.2", "192.168.0.0/16"] {
            assert_eq!(with(passing).as_deref(), Some(PROXY), "{passing}");
        }
        let ipv6 = "https://[fd00::1]:6443";
        assert_eq!(
            through(ipv6, &[("HTTPS_PROXY", PROXY), ("NO_PROXY", "fd00::1")]),
            None
        );
        for own in [
            "https://127.0.0.1:6443",
            "https://localhost:6443",
            "https://[::1]:6443",
        ] {
            assert_eq!(through(own, &[("HTTPS_PROXY", PROXY)]), None, "{own}");
        }
        assert_eq!(with("example.com,10.0.0.1,"), None);
        assert_eq!(with("example.com,").as_deref(), Some(PROXY));
        let bare = [("HTTPS_PROXY", "proxy:3128")];
        assert_eq!(
            through(cluster, &bare).as_deref(),
            Some("http://proxy:3128")
        );
        let eks = "https://ABC.gr7.us-east-1.eks.amazonaws.com";
        let lower = [("https_proxy", PROXY), ("no_proxy", ".eks.amazonaws.com")];
        assert_eq!(through(eks, &lower), None);
        assert_eq!(through("https://other.com", &lower).as_deref(), Some(PROXY));
    }

    #[test]
    fn a_kubeconfigs_own_proxy_is_that_of_the_current_cluster() {
        let text = "{current-context: b, contexts: [{name: a, context: {cluster: x}}, {name: b, context: {cluster: y}}], clusters: [{name: x, cluster: {proxy-url: 'http://no'}}, {name: y, cluster: {proxy-url: 'socks5://yes:1080'}}]}";
        let kubeconfig = Kubeconfig::from_yaml(text).unwrap();
        assert_eq!(own_proxy(&kubeconfig).unwrap(), "socks5://yes:1080");
        let other = Kubeconfig {
            current_context: Some("c".into()),
            ..kubeconfig
        };
        assert_eq!(own_proxy(&other), None);
    }
}
