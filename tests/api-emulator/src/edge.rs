//! The way to the server: HTTP requests of kube's client enter, answers leave, as faults let them.
//! No IO; it sleeps where a fault says so.

use std::io::{Error, ErrorKind};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use kube::client::Body;
use tokio::time::sleep;
use tower::{BoxError, Service};

use crate::asked::Asked;
use crate::faults::FaultKind;
use crate::log::Outcome;
use crate::reply::{Failure, Reply};
use crate::resource::Verb;
use crate::server::ApiServer;
use crate::state::{Line, Slot, State};
use crate::watch::Watch;

/// The body of an answer.
pub type Answer = UnsyncBoxBody<Bytes, BoxError>;

/// The way of one caller to the server.
#[derive(Clone, Debug)]
pub struct Edge {
    server: ApiServer,
    caller: String,
}

impl Edge {
    pub(crate) fn new(server: ApiServer, caller: &str) -> Self {
        let caller = caller.to_owned();
        Self { server, caller }
    }
}

impl Service<Request<Body>> for Edge {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Answer>, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let edge = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect_bytes().await?;
            match Asked::read(&edge.caller, &parts, body) {
                Some(asked) if asked.verb == Verb::Watch => edge.watch(asked).await,
                Some(asked) => edge.ask(asked).await,
                None => edge.lost().await,
            }
        })
    }
}

/// What becomes of a request at its arrival.
enum Plan {
    /// It was done; the answer after so long.
    Answer(Reply, Duration),
    /// It was done, or will never be; there is no answer.
    Fail(Outcome),
    /// It will be done after so long.
    Wait(Slot, Duration),
    /// A watch is to be opened after so long.
    Open(Duration),
    /// A watch that says nothing.
    Dumb,
    Hang,
}

/// Whether a request gets to the server at all.
fn gets_through(state: &State, caller: &str) -> Option<Plan> {
    if state.is_killed(caller) {
        return Some(Plan::Hang);
    }
    state
        .is_unreachable(caller)
        .then_some(Plan::Fail(Outcome::Refused))
}

impl Edge {
    async fn ask(self, asked: Asked) -> Result<Response<Answer>, BoxError> {
        let (seq, line, plan) = self.server.with(|state| {
            let (seq, line) = (state.arrived(&asked), state.line(&self.caller));
            let plan = gets_through(state, &self.caller).unwrap_or_else(|| meet(state, seq, asked));
            (seq, line, plan)
        });
        match plan {
            Plan::Answer(reply, time) => {
                sleep(time).await;
                self.back(seq, line, Some(reply)).await
            }
            Plan::Wait(slot, time) => {
                sleep(time).await;
                // What is due by now is done first of all.
                let reply = self.server.with(|_| slot.get().cloned());
                self.back(seq, line, reply).await
            }
            Plan::Fail(outcome) => self.failed(seq, outcome),
            Plan::Open(_) | Plan::Dumb | Plan::Hang => self.hung(seq).await,
        }
    }

    /// An answer on its way back, on the connection that the request came by.
    async fn back(
        &self,
        seq: u64,
        line: Line,
        reply: Option<Reply>,
    ) -> Result<Response<Answer>, BoxError> {
        let now = self.server.with(|state| state.line(&self.caller));
        match reply {
            _ if (now.cuts, now.is_killed) != (line.cuts, line.is_killed) => self.hung(seq).await,
            Some(reply) if now.restarts == line.restarts => self.answered(seq, &reply),
            Some(_) | None => self.failed(seq, Outcome::Lost),
        }
    }

    async fn watch(self, asked: Asked) -> Result<Response<Answer>, BoxError> {
        let (seq, plan) = self.server.with(|state| {
            let seq = state.arrived(&asked);
            let plan =
                gets_through(state, &self.caller).unwrap_or_else(|| meet_watch(state, &asked));
            (seq, plan)
        });
        match plan {
            Plan::Open(time) => {
                sleep(time).await;
                self.opened(seq, asked)
            }
            Plan::Answer(reply, time) => {
                sleep(time).await;
                self.answered(seq, &reply)
            }
            Plan::Fail(outcome) => self.failed(seq, outcome),
            Plan::Dumb => {
                self.server
                    .with(|state| state.outcome(seq, Outcome::Answered(200)));
                let nothing = futures::stream::pending::<Result<Bytes, BoxError>>();
                Ok(Response::new(streamed(nothing)))
            }
            Plan::Wait(..) | Plan::Hang => self.hung(seq).await,
        }
    }

    fn opened(self, seq: u64, asked: Asked) -> Result<Response<Answer>, BoxError> {
        let bell = self.server.bell(asked.resource);
        let opened = self.server.with(|state| {
            if let Some(failure) = state.refusal(&asked) {
                return Err(failure);
            }
            let bell = bell.ok_or_else(Failure::not_served)?;
            let watch = Watch::open(asked, state, bell)?;
            state.outcome(seq, Outcome::Answered(200));
            Ok(watch)
        });
        match opened {
            Ok(watch) => Ok(Response::new(streamed(watch.lines(self.server)))),
            Err(failure) => self.answered(seq, &failure.into()),
        }
    }

    async fn lost(self) -> Result<Response<Answer>, BoxError> {
        match self.server.with(|state| gets_through(state, &self.caller)) {
            None => response(&Reply::no_such_path()),
            Some(Plan::Fail(_)) => Err(refused()),
            Some(_) => std::future::pending().await,
        }
    }

    fn answered(&self, seq: u64, reply: &Reply) -> Result<Response<Answer>, BoxError> {
        self.server
            .with(|state| state.outcome(seq, Outcome::Answered(reply.code)));
        response(reply)
    }

    fn failed(&self, seq: u64, outcome: Outcome) -> Result<Response<Answer>, BoxError> {
        self.server.with(|state| state.outcome(seq, outcome));
        Err(refused())
    }

    async fn hung<T>(&self, seq: u64) -> T {
        self.server.with(|state| state.outcome(seq, Outcome::Hung));
        std::future::pending().await
    }
}

/// A request meets a fault, or is done.
fn meet(state: &mut State, seq: u64, asked: Asked) -> Plan {
    let now = state.now();
    let fault = state.faults.take(&asked, now);
    match fault {
        None => Plan::Answer(state.execute(seq, &asked), Duration::ZERO),
        Some(FaultKind::Slow(time)) => Plan::Answer(state.execute(seq, &asked), time),
        Some(FaultKind::Late(time)) => Plan::Wait(state.send_later(seq, asked, time), time),
        Some(FaultKind::LostReply) => {
            state.execute(seq, &asked);
            Plan::Fail(Outcome::Lost)
        }
        Some(FaultKind::HangAfterEffect) => {
            state.execute(seq, &asked);
            Plan::Hang
        }
        Some(kind @ (FaultKind::Error { .. } | FaultKind::TooManyRequests { .. })) => refuse(kind),
        Some(FaultKind::Refused) => Plan::Fail(Outcome::Refused),
        Some(FaultKind::Hang | FaultKind::HalfOpenWatch) => Plan::Hang,
    }
}

fn meet_watch(state: &mut State, asked: &Asked) -> Plan {
    let now = state.now();
    match state.faults.take(asked, now) {
        None => Plan::Open(Duration::ZERO),
        Some(FaultKind::Slow(time) | FaultKind::Late(time)) => Plan::Open(time),
        Some(FaultKind::LostReply) => Plan::Fail(Outcome::Lost),
        Some(FaultKind::Refused) => Plan::Fail(Outcome::Refused),
        Some(FaultKind::Hang | FaultKind::HangAfterEffect) => Plan::Hang,
        Some(FaultKind::HalfOpenWatch) => Plan::Dumb,
        Some(kind @ (FaultKind::Error { .. } | FaultKind::TooManyRequests { .. })) => refuse(kind),
    }
}

fn refuse(kind: FaultKind) -> Plan {
    let failure = match kind {
        FaultKind::Error {
            code,
            reason,
            message,
        } => Failure::new(code, &reason, message),
        FaultKind::TooManyRequests { retry_after } => Failure::too_many(retry_after),
        FaultKind::Slow(_)
        | FaultKind::Late(_)
        | FaultKind::Refused
        | FaultKind::LostReply
        | FaultKind::Hang
        | FaultKind::HangAfterEffect
        | FaultKind::HalfOpenWatch => Failure::new(500, "InternalError", "an order of a test"),
    };
    Plan::Answer(failure.into(), Duration::ZERO)
}

fn refused() -> BoxError {
    let what = "client error (Connect): connection reset by peer";
    Box::new(Error::new(ErrorKind::ConnectionReset, what))
}

fn response(reply: &Reply) -> Result<Response<Answer>, BoxError> {
    let body = Full::new(Bytes::from(reply.text()));
    let body = body.map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.code)?;
    if let Some(seconds) = reply.retry_after {
        response
            .headers_mut()
            .insert(http::header::RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

fn streamed(
    lines: impl futures::Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
) -> Answer {
    let frames = futures::StreamExt::map(lines, |line| line.map(http_body::Frame::data));
    StreamBody::new(frames).boxed_unsync()
}
