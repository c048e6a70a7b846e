//! Counts the requests to the API server: a layer around kube's client enters, a client that counts
//! leaves. The client inside does the network IO.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use prometheus::{IntCounterVec, Opts};
use tower::{Layer, Service};

use super::MetricsError;
use super::catalog::Catalog;

/// The code of a request that the API server did not answer, as client-go has it.
const NO_ANSWER: &str = "<error>";

/// Counts every request by the code of its answer; clones share the count.
#[derive(Clone, Debug)]
pub struct ApiRequests(IntCounterVec);

impl ApiRequests {
    pub(super) fn new(add: &mut Catalog) -> Result<Self, MetricsError> {
        Ok(Self(add.add(IntCounterVec::new(
            Opts::new(
                "rest_client_requests_total",
                "Requests to the API server by the code of the answer and by method; \
                 code <error> where none came.",
            ),
            &["code", "method"],
        ))?))
    }
}

impl<S> Layer<S> for ApiRequests {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Counting {
            inner,
            requests: self.clone(),
        }
    }
}

/// A client that counts; see [`ApiRequests`].
#[derive(Clone, Debug)]
pub struct Counting<S> {
    inner: S,
    requests: ApiRequests,
}

impl<S, Sent, Answer> Service<Request<Sent>> for Counting<S>
where
    S: Service<Request<Sent>, Response = Response<Answer>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Sent>) -> Self::Future {
        let method = request.method().clone();
        let requests = self.requests.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let status = answer.as_ref().map(Response::status);
            let code = status.as_ref().map_or(NO_ANSWER, |status| status.as_str());
            let labels = [code, method.as_str()];
            requests.0.with_label_values(&labels).inc();
            answer
        })
    }
}
