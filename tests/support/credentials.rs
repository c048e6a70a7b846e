//! Ways in which AWS credentials fail: a stand-in for STS and for the Pod Identity agent on loopback,
//! and the environment of a program for each cause. What changes at each try, and what nobody may
//! read, is in the answers and in the environment.
#![allow(clippy::unwrap_used)] // A test ends there.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// No message and no line of the log may hold one of these.
pub const SECRETS: [&str; 4] = ["SECRET-TOKEN", "SECRET-SESSION", "REQUEST-ID", "1764000"];

/// The stand-in; it stops when dropped.
pub struct Broken {
    address: String,
    directory: PathBuf,
    task: JoinHandle<()>,
}

/// One cause.
pub struct Cause {
    pub name: &'static str,
    pub env: Vec<(String, String)>,
}

impl Broken {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let directory = std::env::temp_dir().join(address.replace([':', '/'], "-"));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("token"), "SECRET-TOKEN").unwrap();
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::new(AtomicU64::new(1000)));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            directory,
            task,
        }
    }

    /// The same text for every run of the test.
    pub fn without_ports(&self, text: &str) -> String {
        text.replace(self.directory.to_str().unwrap(), "/var/run/secrets/aws")
            .replace(&self.address, "http://LOOPBACK")
    }

    /// Nine causes, two of them in two forms, and none at all.
    pub fn causes(&self) -> Vec<Cause> {
        // Nothing listens there.
        let nothing = "http://127.0.0.1:1".to_owned();
        // No resolver asks for a label of 64 characters.
        let unknown = format!("http://{}.invalid", "x".repeat(64));
        let answers = |path: &str| format!("{}/{path}", self.address);
        let refused = |name, path| self.web_identity(name, &answers(path), "token");
        vec![
            refused("STS refuses the token", "AccessDenied"),
            refused("the token has expired", "ExpiredTokenException"),
            refused("STS does not know the issuer", "InvalidIdentityToken"),
            refused("STS cannot reach the issuer", "IDPCommunicationError"),
            refused("the role is none", "ValidationError"),
            self.web_identity("STS refuses connections", &nothing, "token"),
            self.web_identity("STS has no address", &unknown, "token"),
            Self::agent("the agent is absent", nothing),
            Self::agent("the agent has no association", answers("NotFound")),
            self.web_identity("the token file is missing", &answers("unused"), "none"),
            refused("a proxy answers for STS", "proxy"),
            Cause {
                name: "no credentials at all",
                env: Vec::new(),
            },
        ]
    }

    fn web_identity(&self, name: &'static str, sts: &str, token: &str) -> Cause {
        let token = self.directory.join(token);
        let env = [
            ("AWS_ENDPOINT_URL_STS", sts),
            ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/controller"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
            ("AWS_ROLE_SESSION_NAME", "SECRET-SESSION"),
        ];
        Cause {
            name,
            env: env.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        }
    }

    fn agent(name: &'static str, server: String) -> Cause {
        let env = [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", server),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "SECRET-TOKEN".into()),
        ];
        Cause {
            name,
            env: env.map(|(k, v)| (k.to_owned(), v)).into(),
        }
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The first part of the path says what is answered.
async fn answer(State(count): State<Arc<AtomicU64>>, uri: Uri) -> Response {
    let now = count.fetch_add(1, Ordering::Relaxed);
    let expired = format!(
        "Token expired: current date/time 1764000{now} must be before the expiration date/time1764000999"
    );
    let code = uri.path().trim_matches('/').split('/').next();
    let (status, message) = match code.unwrap_or_default() {
        "AccessDenied" => (
            403,
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ),
        "ExpiredTokenException" => (400, expired.as_str()),
        "InvalidIdentityToken" => (
            400,
            "No OpenIDConnect provider found in your account for https://oidc.eks.us-east-1.amazonaws.com/id/ABCDEF",
        ),
        "IDPCommunicationError" => (400, "Error communicating with IDP"),
        "ValidationError" => (400, "Request ARN is invalid"),
        "proxy" => {
            return (StatusCode::PROXY_AUTHENTICATION_REQUIRED, "<html>no</html>").into_response();
        }
        _ => return (StatusCode::NOT_FOUND, "SECRET-TOKEN").into_response(),
    };
    let body = format!(
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{}</Code><Message>{message}</Message></Error><RequestId>REQUEST-ID-{now}</RequestId></ErrorResponse>"#,
        code.unwrap_or_default()
    );
    let status = StatusCode::from_u16(status).unwrap();
    (status, body).into_response()
}
