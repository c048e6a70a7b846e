//! The HTTP server: connections on 127.0.0.1 enter, answers leave. Does IO.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Deref;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming as Body};
use hyper::header::{AUTHORIZATION, HeaderName, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::admin;
use crate::config::Config;
use crate::emulator::{Emulator, Incoming};

/// An emulator that is listening; it stops, and closes all connections, when dropped.
pub struct Server {
    emulator: Emulator,
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Emulator {
    /// Starts an emulator on a free port of 127.0.0.1.
    pub async fn start(config: Config) -> std::io::Result<Server> {
        Server::bind(config, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }
}

impl Server {
    /// Starts an emulator on an address, which has to be a loopback one.
    pub async fn bind(config: Config, addr: SocketAddr) -> std::io::Result<Self> {
        if !addr.ip().is_loopback() {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                format!("{addr} is not a loopback address: signatures are not verified here"),
            ));
        }
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let emulator = Emulator::new(config);
        let task = tokio::spawn(accept(listener, emulator.clone()));
        Ok(Self {
            emulator,
            addr,
            task,
        })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The emulator behind it.
    pub fn emulator(&self) -> &Emulator {
        &self.emulator
    }
}

impl Deref for Server {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, emulator: Emulator) {
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, emulator.clone()));
                }
                // Out of file descriptors, most likely: let connections end first.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, emulator: Emulator) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let emulator = emulator.clone();
        async move { answer(&emulator, request).await }
    });
    // An error is a connection that broke, or one that was to be closed with no answer.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The connection is to be closed with no answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed with no answer, as ordered")
    }
}

impl std::error::Error for Closed {}

impl From<Infallible> for Closed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn answer(
    emulator: &Emulator,
    request: Request<Body>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    if let Some(path) = head.uri.path().strip_prefix("/_emulator/") {
        let query = head.uri.query().unwrap_or_default();
        let (status, json) = admin::answer(emulator, head.method.as_str(), path, query, &body);
        return response(status, "application/json", None, json.to_string());
    }
    let header = |name: HeaderName| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let incoming = Incoming {
        authorization: header(AUTHORIZATION),
        user_agent: header(USER_AGENT),
        body,
    };
    let reply = emulator.handle(incoming).await.ok_or(Closed)?;
    response(
        reply.status,
        "text/xml",
        Some(&reply.request_id),
        reply.body,
    )
}

fn response(
    status: u16,
    content_type: &str,
    request_id: Option<&str>,
    body: String,
) -> Result<Response<Full<Bytes>>, Closed> {
    let mut builder = Response::builder()
        .status(status)
        .header("content-type", content_type);
    if let Some(id) = request_id {
        builder = builder.header("x-amzn-requestid", id);
    }
    builder
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| Closed)
}
