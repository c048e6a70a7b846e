//! The edges of one replica: requests of the real SDK and of kube's real client enter, answers of the two
//! emulators leave, or what the link lets happen instead. No IO.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use api_emulator::{Answer, ApiServer, Edge, Fault as ApiFault, FaultKind as ApiFaultKind};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use http::{Method, Request, Response};
use iam_emulator::connector::Connector;
use iam_emulator::{Emulator, Fault, FaultKind};
use kube::client::Body;
use tokio::time::sleep;
use tower::{BoxError, Service, ServiceExt as _};

use crate::link::{Fate, Link, Mishap, Side};
use crate::witness::Witness;

/// One process, as the two servers know it.
#[derive(Clone, Debug)]
pub struct Process {
    /// The name of this process, which no later one has: `caller` at the API server, and the identity in
    /// the Lease.
    pub name: String,
    /// Its access key in AWS.
    pub access_key: String,
    /// Its connections.
    pub link: Link,
}

/// Whoever waits here was killed, or waits for an answer that never comes.
async fn never<T>() -> T {
    std::future::pending().await
}

/// A call that takes its time each way. It goes on when its caller gives up, as what is on its way does.
async fn slowly<T: Send + 'static>(
    each_way: Duration,
    call: impl Future<Output = T> + Send + 'static,
) -> T {
    if each_way.is_zero() {
        return call.await;
    }
    let on_its_way = tokio::spawn(async move {
        sleep(each_way).await;
        call.await
    });
    let Ok(answer) = on_its_way.await else {
        return never().await;
    };
    sleep(each_way).await;
    answer
}

/// What becomes of a call: `arrives` when it gets there, `refuse` before one that the server is to fail, `broken`
/// where the connection is.
async fn carried<T, E, F>(
    link: &Link,
    fate: Fate,
    arrives: F,
    refuse: impl FnOnce(),
    broken: impl FnOnce(io::ErrorKind) -> E,
) -> Result<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    match fate {
        Fate::Never | Fate::Meets(Mishap::Hangs) => never().await,
        Fate::Unreachable => Err(broken(io::ErrorKind::ConnectionRefused)),
        Fate::Passes(each_way) => slowly(each_way, arrives).await,
        Fate::Meets(Mishap::KilledBefore) => {
            link.die();
            never().await
        }
        Fate::Meets(Mishap::KilledAfter) => {
            // Nobody learns the answer.
            drop(arrives.await);
            link.die();
            never().await
        }
        Fate::Meets(Mishap::Refused) => {
            refuse();
            arrives.await
        }
        Fate::Meets(Mishap::AnswerLost) => {
            drop(arrives.await);
            Err(broken(io::ErrorKind::ConnectionReset))
        }
    }
}

/// AWS, as one process reaches it.
#[derive(Clone)]
pub struct IamEdge {
    process: Process,
    emulator: Emulator,
    witness: Witness,
}

impl IamEdge {
    /// An HTTP client for the SDK.
    pub fn new(process: &Process, emulator: &Emulator, witness: &Witness) -> Self {
        Self {
            process: process.clone(),
            emulator: emulator.clone(),
            witness: witness.clone(),
        }
    }

    /// The call, and what it did, before anybody else's turn.
    async fn arrives(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let last = self.emulator.last_call();
        let answer = Connector::new(&self.emulator).call(request).await;
        if let Some(call) = self.emulator.call(last + 1) {
            self.witness.called_iam(&self.process, &call);
        }
        answer
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let link = self.process.link.clone();
        let fate = link.fate(Side::Iam, true);
        let (emulator, key) = (self.emulator.clone(), self.process.access_key.clone());
        let refuse = || {
            let fault = Fault::new("*", 1, FaultKind::ServiceFailure);
            emulator.inject(fault.of_caller(key));
        };
        let broken = |kind| ConnectorError::io(io::Error::from(kind).into());
        carried(&link, fate, self.arrives(request), refuse, broken).await
    }
}

impl std::fmt::Debug for IamEdge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IamEdge")
    }
}

impl HttpClient for IamEdge {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for IamEdge {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send(request))
    }
}

/// The API server, as one process reaches it.
#[derive(Clone)]
pub struct ApiEdge {
    process: Process,
    server: ApiServer,
    witness: Witness,
    /// Nothing is waited for longer, as on the program's connections for watches.
    gives_up: Option<Duration>,
}

impl ApiEdge {
    /// A service for kube's client.
    pub fn new(process: &Process, server: &ApiServer, witness: &Witness) -> Self {
        Self {
            process: process.clone(),
            server: server.clone(),
            witness: witness.clone(),
            gives_up: None,
        }
    }

    /// The same, where nothing is waited for longer.
    #[must_use]
    pub fn giving_up_after(self, time: Duration) -> Self {
        Self {
            gives_up: Some(time),
            ..self
        }
    }

    async fn arrives(self, request: Request<Body>) -> Result<Response<Answer>, BoxError> {
        let edge: Edge = self.server.edge(&self.process.name);
        let last = self.server.last_request();
        let answer = edge.oneshot(request).await;
        if let Some(request) = self.server.request(last + 1) {
            self.witness.called_api(&self.process, &request);
        }
        answer
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Answer>, BoxError> {
        let link = self.process.link.clone();
        // Who leads is a story of its own.
        let counts = request.method() != Method::GET && !request.uri().path().contains("/leases");
        let fate = link.fate(Side::Api, counts);
        let (server, caller) = (self.server.clone(), self.process.name.clone());
        let refuse = || {
            let fails = ApiFaultKind::Error {
                code: 500,
                reason: "InternalError".to_owned(),
                message: "an error on the server has prevented the request from succeeding"
                    .to_owned(),
            };
            server.order(ApiFault::new(1, fails).of_caller(caller));
        };
        let broken = |kind| io::Error::from(kind).into();
        carried(&link, fate, self.arrives(request), refuse, broken).await
    }
}

impl Service<Request<Body>> for ApiEdge {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let sent = self.clone().send(request);
        match self.gives_up {
            None => Box::pin(sent),
            Some(time) => Box::pin(async move {
                match tokio::time::timeout(time, sent).await {
                    Ok(answer) => answer,
                    Err(_elapsed) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
                }
            }),
        }
    }
}
