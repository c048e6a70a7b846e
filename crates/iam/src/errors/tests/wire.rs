//! InSyncCache that are not AWS's, answers without words, and none: what comes over the wire in, class
//! and text out.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const HTML: &str = "<html><body>Proxy Authentication Required</body></html>";

/// IAM's error with this code and message; the id is another one each time.
fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>{}</RequestId></ErrorResponse>",
        fastrand::u64(..)
    )
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// What people read when a server answers each request with these bytes and closes the connection.
async fn read_of(bytes: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let iam = iam(&SdkConfig::builder()
        .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
        .credentials_provider(credentials())
        .build());
    let serving = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65536];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
        }
    };
    tokio::select! {
        text = message(&iam, create_role()) => text,
        () = serving => unreachable!(),
    }
}

#[tokio::test]
async fn what_is_no_answer_of_aws_has_a_cause_and_blames_no_spec() {
    let rows = [
        (
            "a proxy asks for a password",
            answer("407 Proxy Authentication Required", HTML),
        ),
        ("a firewall forbids", answer("403 Forbidden", HTML)),
        ("a portal sends elsewhere", answer("302 Found", HTML)),
        ("a portal answers", answer("200 OK", HTML)),
        ("nothing is said", answer("400 Bad Request", "")),
        ("a gateway failed", answer("502 Bad Gateway", HTML)),
        (
            "nothing is said of a failure",
            answer("503 Service Unavailable", ""),
        ),
        (
            "a failure with no message",
            answer("500 Internal Server Error", &error("ServiceFailure", "")),
        ),
        (
            "a failure with an id only",
            answer(
                "503 Service Unavailable",
                &error("ServiceUnavailable", "(Service: Iam; Request ID: 1)"),
            ),
        ),
        (
            "a failure with words",
            answer(
                "503 Service Unavailable",
                &error("ServiceUnavailable", "Please try again."),
            ),
        ),
        (
            "a failure that is called a mistake",
            answer("400 Bad Request", &error("InternalFailure", "Oh.")),
        ),
        (
            "a time-out of AWS's own",
            answer("408 Request Timeout", &error("RequestTimeout", "")),
        ),
        (
            "a refusal with no message",
            answer("403 Forbidden", &error("AccessDenied", "")),
        ),
        (
            "an error that is not known, with no message",
            answer("400 Bad Request", &error("Strange", "")),
        ),
        (
            "too many, whatever the code",
            answer("429 Too Many Requests", &error("Strange", "Slower.")),
        ),
        (
            "too many, in a proxy's words",
            answer("429 Too Many Requests", HTML),
        ),
        ("the connection is closed", String::new()),
        (
            "the answer breaks off",
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n<".to_owned(),
        ),
        (
            "the answer is no HTTP",
            "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
        ),
    ];
    let mut all = Vec::new();
    for (name, bytes) in rows {
        let text = read_of(bytes.clone()).await;
        assert!(!text.contains(": ."), "{name} has no cause: {text}");
        let (class, _) = text.split_once(": ").unwrap();
        if bytes.starts_with("HTTP/1.1 5") {
            assert!(!text.contains("can't reach"), "{name}: {text}");
            assert_eq!(class, "Unavailable", "{name}");
        }
        if !bytes.contains("Strange") {
            assert_ne!(class, "Refused", "{name}: {text}");
        }
        all.push(format!("# {name}\n{text}"));
    }
    insta::assert_snapshot!(all.join("\n\n"));
}

/// Every call fails so.
#[derive(Debug, Clone)]
struct Failing(fn() -> ConnectorError);

impl HttpConnector for Failing {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err((self.0)()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_out_is_called_one() {
    let emulator = Emulator::new(Config::default());
    emulator.inject(Fault::new("*", 1, FaultKind::Hang));
    let silent = message(&reaching(&emulator), create_role()).await;
    assert_eq!(
        silent,
        "Unavailable: iam:CreateRole on arn:aws:iam::111122223333:role/session-manager/team.web: no answer within 5 s. The controller retries automatically"
    );
    let connector = SharedHttpConnector::new(Failing(|| ConnectorError::timeout("connect".into())));
    let black_hole = iam(&SdkConfig::builder()
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .credentials_provider(credentials())
        .build());
    insta::assert_snapshot!(message(&black_hole, create_role()).await);
}

#[test]
fn every_spelling_of_throttling_is_known() {
    // The SDK's own list. What IAM says with the last is a quota.
    for code in aws_runtime::retries::classifiers::THROTTLING_ERRORS {
        assert_eq!(
            is_throttling(code),
            *code != "LimitExceededException",
            "{code}"
        );
    }
    for code in ["Throttled", "RequestThrottledException", "TooManyRequests"] {
        assert_eq!(classify("GetRole", code, "", 400), FailureClass::Throttled);
    }
}

/// Only what IAM itself answered says that it allows the rate.
#[tokio::test(start_paused = true)]
async fn failures_of_aws_and_of_the_network_teach_the_budget_nothing() {
    let emulator = Emulator::new(Config::default());
    let budget = Budget::new(10);
    let config = SdkConfig::builder()
        .http_client(Connector::new(&emulator))
        .credentials_provider(credentials());
    let iam = paced(&config.build(), &budget);
    budget.throttled();
    let slowed = budget.rate();
    assert!(slowed < 10.0);
    let times = 20;
    let error = |status, code: &str| FaultKind::Error {
        status,
        code: code.to_owned(),
        message: String::new(),
    };
    for fault in [
        FaultKind::Hang,
        FaultKind::ServiceFailure,
        error(502, ""),
        error(403, ""),
    ] {
        emulator.inject(Fault::new("*", times, fault.clone()));
        for _ in 0..times {
            tokio::time::advance(Duration::from_secs(1)).await;
            message(&iam, create_role()).await;
        }
        assert!(
            (budget.rate() - slowed).abs() < 1e-9,
            "{fault:?}: {}",
            budget.rate()
        );
    }
    emulator.inject(Fault::new("*", 1, error(403, "AccessDenied")));
    tokio::time::advance(Duration::from_secs(1)).await;
    message(&iam, create_role()).await;
    assert!(budget.rate() > slowed);
}

/// A source of credentials that never answers.
#[derive(Debug)]
struct Silent;

impl ProvideCredentials for Silent {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(std::future::pending())
    }
}

/// The SDK lets one call load them and the others wait for it: none of these may run into its own
/// time-out and call it AWS's.
#[tokio::test(start_paused = true)]
async fn a_silent_source_of_credentials_is_named_to_all_who_wait_for_it() {
    let emulator = Emulator::new(Config::default());
    let iam = iam(&SdkConfig::builder()
        .http_client(Connector::new(&emulator))
        .credentials_provider(SharedCredentialsProvider::new(Silent))
        .build());
    let begun = tokio::time::Instant::now();
    let waiting = (0..8).map(|_| message(&iam, create_role()));
    for text in futures::future::join_all(waiting).await {
        assert_eq!(
            text,
            "Credentials: iam:CreateRole on arn:aws:iam::111122223333:role/session-manager/team.web: cannot get AWS credentials: no answer from their source within 4 s. Check the network, DNS, HTTPS_PROXY and NO_PROXY, and AWS_ENDPOINT_URL"
        );
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    // It is asked again, and not only once.
    tokio::time::advance(Duration::from_secs(2)).await;
    let begun = tokio::time::Instant::now();
    message(&iam, create_role()).await;
    assert!(begun.elapsed() >= Duration::from_secs(4));
    assert_eq!(emulator.calls(), []);
}
