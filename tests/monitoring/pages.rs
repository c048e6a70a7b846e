//! The page of a real standby: the program that was built runs against an API server that is not there, and is
//! scraped. SMR_METRICS_PAGES is a directory to keep the page in. Runs a process, uses loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::metrics;

/// The program, ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A replica that can't reach the Lease, and where it serves its metrics.
fn standby(directory: &std::path::Path) -> (Running, String) {
    // Nobody listens on a port whose listener has just gone.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let kubeconfig = directory.join("kubeconfig");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: c, user: u}}}}], \
         clusters: [{{name: c, cluster: {{server: '{server}'}}}}], users: [{{name: u, user: {{}}}}]}}"
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_smr"))
        .args(["run", "--cluster-name", "test", "--leader-elect"])
        .args(["--lease-namespace", "default", "--log-format", "json"])
        .args(["--metrics-addr", "127.0.0.1:0"])
        .env("KUBECONFIG", kubeconfig)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("SMR_LOG_LEVEL")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let logs = BufReader::new(child.stderr.take().unwrap());
    let running = Running(child);
    let address = logs.lines().find_map(|line| {
        let line = line.unwrap();
        let address = line.split("\"address\":\"").nth(1)?;
        Some(address.split('"').next()?.to_owned())
    });
    (running, address.expect("the program ended without serving"))
}

fn scrape(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    page.to_owned()
}

#[test]
fn a_standby_shows_that_it_stands_by_and_nothing_of_what_a_leader_knows() {
    let directory = tempfile::tempdir().unwrap();
    let (_running, address) = standby(directory.path());
    let page = loop {
        let page = scrape(&address);
        // It serves before it has asked for the Lease.
        if page.contains("rest_client_requests_total{") {
            break page;
        }
        std::thread::yield_now();
    };
    let leads = "leader_election_master_status{name=\"session-manager-role\"} 0";
    assert!(page.lines().any(|line| line == leads), "{page}");
    let unanswered = "rest_client_requests_total{code=\"<error>\",method=\"GET\"}";
    assert!(page.contains(unanswered), "{page}");
    for metric in metrics() {
        let shown = page.contains(&format!("# TYPE {} ", metric.name));
        assert!(
            !(shown && metric.of_leader),
            "a standby has {}",
            metric.name
        );
    }
    if let Some(pages) = std::env::var_os("SMR_METRICS_PAGES") {
        std::fs::write(std::path::Path::new(&pages).join("standby.prom"), page).unwrap();
    }
}
