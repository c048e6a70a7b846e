//! Proxies, private CAs and missing IPv6, as a laptop and a pod have them.

use std::fmt::Write as _;
use std::process::Command;

use crate::network::{CountingProxy, Tls};
use crate::support::{Answer, Bench, answer, manifest};

/// `smr plan` with these variables.
async fn plan(bench: &Bench, env: &[(&str, &str)]) -> Answer {
    let mut command = bench.command(&["plan", "-f", "a.yaml", "--no-cluster"]);
    command.envs(env.iter().copied());
    answer(command).await
}

async fn bench() -> Bench {
    Bench::new(&[("a.yaml", &manifest("a", "{}"))])
        .with_iam()
        .await
}

#[tokio::test]
async fn a_private_ca_is_trusted_by_ssl_cert_file_and_not_by_aws_ca_bundle() {
    let bench = bench().await;
    let tls = Tls::before(bench.iam().addr()).await;
    let (url, ca) = (tls.url(), tls.ca());
    let endpoint = ("AWS_ENDPOINT_URL", url.as_str());
    let ca = ca.to_str().unwrap();
    let unknown = plan(&bench, &[endpoint, ("AWS_CA_BUNDLE", ca)]).await;
    assert_eq!(unknown.code, 1, "{}", unknown.told());
    insta::assert_snapshot!("private-ca", unknown.stderr);
    let known = plan(&bench, &[endpoint, ("SSL_CERT_FILE", ca)]).await;
    assert_eq!(known.code, 0, "{}", known.told());
    let directory = tls.directory();
    let known = plan(
        &bench,
        &[endpoint, ("SSL_CERT_DIR", directory.to_str().unwrap())],
    )
    .await;
    // SSL_CERT_DIR is OpenSSL's: its files are named after hashes, or are taken as they are.
    assert_eq!(known.code, 0, "{}", known.told());
}

#[tokio::test]
async fn aws_is_reached_through_the_proxy_but_for_what_no_proxy_names() {
    let bench = bench().await;
    let (tls, proxy) = (
        Tls::before(bench.iam().addr()).await,
        CountingProxy::start().await,
    );
    let (plain, url, through, ca) = (bench.iam().endpoint(), tls.url(), proxy.url(), tls.ca());
    let ca = ("SSL_CERT_FILE", ca.to_str().unwrap());
    let proxies = [
        ("HTTPS_PROXY", through.as_str()),
        ("HTTP_PROXY", through.as_str()),
    ];
    for (endpoint, authority) in [
        (url.as_str(), tls.authority()),
        (plain.as_str(), bench.iam().addr().to_string()),
    ] {
        let endpoint = ("AWS_ENDPOINT_URL", endpoint);
        let answered = plan(&bench, &[endpoint, ca, proxies[0], proxies[1]]).await;
        assert_eq!(answered.code, 0, "{}", answered.told());
        let passed = proxy.passed(&authority);
        assert!(passed > 0, "{authority} was reached without the proxy");
        let exception = ("NO_PROXY", "127.0.0.1");
        let answered = plan(&bench, &[endpoint, ca, proxies[0], proxies[1], exception]).await;
        assert_eq!(answered.code, 0, "{}", answered.told());
        assert_eq!(
            proxy.passed(&authority),
            passed,
            "NO_PROXY names {authority}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_lets_nothing_pass_is_named() {
    let bench = bench().await;
    let (tls, proxy) = (
        Tls::before(bench.iam().addr()).await,
        CountingProxy::refusing().await,
    );
    let through = proxy.url();
    let mut told = String::new();
    for (scheme, endpoint) in [("https", tls.url()), ("http", bench.iam().endpoint())] {
        let env = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("HTTPS_PROXY", &through),
            ("HTTP_PROXY", &through),
        ];
        let answered = plan(&bench, &env).await;
        assert_eq!(answered.code, 1, "{}", answered.told());
        writeln!(told, "# {scheme}\n{}", answered.stderr).unwrap();
    }
    insta::assert_snapshot!("refusing-proxy", told);
}

/// `smr run` where there is no cluster: it serves metrics and then ends.
async fn start(bench: &Bench, before: &str, env: &[(&str, &str)]) -> Answer {
    let program = bench.command(&[]);
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c",
            &format!("{before}exec \"$0\" run --cluster-name=test"),
        ])
        .arg(program.get_program())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &bench.directory)
        .envs(env.iter().copied());
    answer(shell).await
}

#[tokio::test]
async fn aws_ca_bundle_is_warned_about_in_one_line() {
    let bench = Bench::new(&[("x", "")]);
    let warned = |answer: &Answer| answer.stderr.matches("AWS_CA_BUNDLE").count();
    let address = ("SMR_METRICS_ADDR", "127.0.0.1:0");
    let with = start(&bench, "", &[address, ("AWS_CA_BUNDLE", "/ca.pem")]).await;
    assert_eq!(warned(&with), 1, "{}", with.told());
    assert!(with.stderr.contains("SSL_CERT_FILE"), "{}", with.told());
    let without = start(&bench, "", &[address]).await;
    assert_eq!(warned(&without), 0, "{}", without.told());
}

/// The default address, in a network of its own, where IPv6 is switched off.
#[tokio::test]
async fn without_ipv6_the_default_address_is_served_all_the_same() {
    const IN_A_NETWORK_OF_ITS_OWN: &str = "unshare --net --map-root-user sh -c";
    let off = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && test $(cat /proc/sys/net/ipv6/conf/all/disable_ipv6) = 1";
    let may = Command::new("sh")
        .args(["-c", &format!("{IN_A_NETWORK_OF_ITS_OWN} '{off}'")])
        .output()
        .unwrap();
    if !may.status.success() {
        eprintln!(
            "SKIPPED: this machine lets no test switch IPv6 off: {}",
            String::from_utf8_lossy(&may.stderr)
        );
        return;
    }
    let bench = Bench::new(&[("x", "")]);
    let program = format!(
        "{IN_A_NETWORK_OF_ITS_OWN} '{off} && exec \"$0\" run --cluster-name=test' \"$0\"; exit $?; "
    );
    let answered = start(&bench, &program, &[]).await;
    assert!(
        answered.stderr.contains(":8080") && answered.stderr.contains("serving /metrics"),
        "{}",
        answered.told()
    );
    assert!(
        answered
            .stderr
            .contains("no usable Kubernetes configuration"),
        "{}",
        answered.told()
    );
}
