//! The emulator itself: a request enters, an answer (or none) leaves. No IO but the clock.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::actions::{Action, Context, Ids};
use crate::authorisation::Authorisation;
use crate::config::{Config, Quotas};
use crate::enforce::Enforced;
use crate::faults::{FaultKind, Faults};
use crate::lag::History;
use crate::log::{Call, Log};
use crate::rate::{Bucket, Rate};
use crate::record;
use crate::store::{Account, Store};
use crate::wire::{IamError, Params, Result, Xml};

const IAM: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// IAM in memory. Copies are handles on the same accounts.
#[derive(Clone)]
pub struct Emulator {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    started: Instant,
    /// The time of day then.
    epoch: Timestamp,
    requests: AtomicU64,
    ids: Ids,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) history: History,
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    pub(crate) enforced: Vec<Enforced>,
    pub(crate) latency: Duration,
    pub(crate) rate: Option<Rate>,
    pub(crate) buckets: HashMap<String, Bucket>,
    pub(crate) quotas: Quotas,
    pub(crate) page_size: usize,
}

/// A request, as far as the emulator looks at it.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    /// The `Authorization` header.
    pub authorization: String,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The form body.
    pub body: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The request's id, also a header of the answer.
    pub request_id: String,
    /// XML.
    pub body: String,
}

/// A request that is read: who asks for what.
struct Asked {
    service: &'static str,
    action: String,
    params: Params,
    access_key_id: String,
}

/// Writes the end of a call into the log, also when the caller hangs up.
struct Ending<'a> {
    emulator: &'a Emulator,
    seq: u64,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let now = self.emulator.now_ms();
        self.emulator.state().log.end(self.seq, now);
    }
}

impl Emulator {
    /// An empty emulator that nobody can reach but through [`Emulator::handle`].
    pub fn new(config: Config) -> Self {
        let state = State {
            history: History::new(),
            log: Log::default(),
            faults: Faults::default(),
            enforced: config.enforce.clone(),
            latency: Duration::ZERO,
            rate: None,
            buckets: HashMap::new(),
            quotas: config.quotas.clone(),
            page_size: config.page_size,
        };
        Self {
            shared: Arc::new(Shared {
                epoch: config.epoch.unwrap_or_else(Timestamp::now),
                config,
                started: Instant::now(),
                requests: AtomicU64::new(0),
                ids: Ids::default(),
                state: Mutex::new(state),
            }),
        }
    }

    /// What it was started with.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// InSyncCache one request. `None`: the connection is to be closed with no answer. An ordered
    /// hang never returns.
    ///
    /// The effect happens on arrival and the latency comes after it, so a caller that goes away
    /// in between has changed IAM none the less, as with the real one.
    pub async fn handle(&self, incoming: Incoming) -> Option<Reply> {
        let asked = Asked::read(&incoming);
        let seq = self.begin(&asked, incoming.user_agent);
        let ending = Ending {
            emulator: self,
            seq,
        };
        let number = self.shared.requests.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("00000000-0000-4000-8000-{number:012x}");

        let (result, then) = self.act(&asked, seq);
        let latency = self.state().latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match then {
            Then::Answer => {}
            Then::AnswerAfter(delay) => tokio::time::sleep(delay).await,
            Then::Close => return None,
            Then::Hang => std::future::pending().await,
        }
        drop(ending);
        let namespace = if asked.service == "sts" { STS } else { IAM };
        Some(match result {
            Ok(xml) => Reply {
                status: 200,
                body: xml.into_answer(&asked.action, namespace, &request_id),
                request_id,
            },
            Err(error) => Reply {
                status: error.status,
                body: error.to_xml(namespace, &request_id),
                request_id,
            },
        })
    }

    fn begin(&self, asked: &Asked, user_agent: String) -> u64 {
        let mut params = asked.params.0.clone();
        params.remove("Action");
        params.remove("Version");
        self.state().log.push(Call {
            seq: 0,
            service: asked.service.to_owned(),
            action: asked.action.clone(),
            params,
            access_key_id: asked.access_key_id.clone(),
            user_agent,
            started_ms: self.now_ms(),
            ended_ms: None,
            unix_ms: u64::try_from(self.today().as_millisecond()).unwrap_or_default(),
            write: Action::find(&asked.action).is_some_and(Action::is_write),
            outcome: "pending".to_owned(),
        })
    }

    /// Does what is asked, or what a fault says instead, and notes the outcome.
    fn act(&self, asked: &Asked, seq: u64) -> (Result<Xml>, Then) {
        let mut state = self.state();
        let (result, then) = match self.meet(&mut state, asked) {
            ControlFlow::Break((result, then)) => (result, then),
            ControlFlow::Continue(then) => (self.run(&mut state, asked), then),
        };
        let outcome = match (&then, &result) {
            (Then::Answer | Then::AnswerAfter(_), Ok(_)) => "ok".to_owned(),
            (Then::Answer | Then::AnswerAfter(_), Err(error)) => error.code.to_string(),
            (Then::Close, _) => "LostReply".to_owned(),
            (Then::Hang, Ok(_)) => "HangAfterEffect".to_owned(),
            (Then::Hang, Err(_)) => "Hang".to_owned(),
        };
        state.log.mark(seq, outcome);
        (result, then)
    }

    /// What keeps a call from being done: throttling, and faults with no effect.
    fn meet(&self, state: &mut State, asked: &Asked) -> ControlFlow<(Result<Xml>, Then), Then> {
        let refuse = |error| ControlFlow::Break((Err(error), Then::Answer));
        let throttled = || IamError::new(400, "Throttling", "Rate exceeded");
        let now = Instant::now();
        let (action, caller) = (&asked.action, &asked.access_key_id);
        let kind = (state.faults).take(action, &asked.params, caller, now);
        match kind {
            Some(FaultKind::Throttle) => return refuse(throttled()),
            Some(FaultKind::ServiceFailure) => {
                return refuse(IamError::new(
                    500,
                    "ServiceFailure",
                    "The request processing has failed because of an unknown error, exception \
                     or failure.",
                ));
            }
            Some(FaultKind::AccessDenied) => {
                let account_id = self.account_of(asked).unwrap_or_default();
                let caller = self.caller_arn(&state.enforced, asked, &account_id);
                return refuse(access_denied(asked, &caller));
            }
            Some(FaultKind::UnrecognizedClient) => return refuse(invalid_token()),
            Some(FaultKind::Error {
                status,
                code,
                message,
            }) => {
                return refuse(IamError::new(status, code, message));
            }
            Some(FaultKind::Hang) => {
                return ControlFlow::Break((Err(throttled()), Then::Hang));
            }
            Some(FaultKind::LostReply) => return ControlFlow::Continue(Then::Close),
            Some(FaultKind::Slow { ms }) => {
                return ControlFlow::Continue(Then::AnswerAfter(Duration::from_millis(ms)));
            }
            Some(FaultKind::HangAfterEffect) => return ControlFlow::Continue(Then::Hang),
            None => {}
        }
        if let (Some(rate), Ok(account_id), "iam") =
            (state.rate, self.account_of(asked), asked.service)
        {
            let bucket = state
                .buckets
                .entry(account_id)
                .or_insert_with(|| Bucket::new(rate, now));
            if !bucket.take(now) {
                return refuse(throttled());
            }
        }
        ControlFlow::Continue(Then::Answer)
    }

    fn run(&self, state: &mut State, asked: &Asked) -> Result<Xml> {
        let account_id = self.account_of(asked)?;
        if asked.service == "sts" {
            let caller = self.caller_arn(&state.enforced, asked, &account_id);
            return sts(asked, &account_id, &caller);
        }
        let action = Action::find(&asked.action)
            .filter(|_| asked.params.get("Version") == Some("2010-05-08"))
            .ok_or_else(|| invalid_action(asked))?;
        let now = Instant::now();
        let State {
            history,
            quotas,
            enforced,
            page_size,
            ..
        } = state;
        let cx = Context {
            params: &asked.params,
            account_id: &account_id,
            partition: &self.shared.config.partition,
            now: self.today().as_second(),
            quotas,
            page_size: *page_size,
            ids: &self.shared.ids,
        };
        if let Some(file) = &self.shared.config.record {
            let before = account_in(history.current(), &account_id);
            let authorised = Authorisation::of(&asked.action, &cx, &before);
            record::note(file, &asked.access_key_id, authorised);
        }
        let seen = account_in(history.seen(now), &account_id);
        let older = history
            .seen_by_writes(now)
            .map(|store| account_in(store, &account_id));
        for caller in of_key(enforced, &asked.access_key_id) {
            let conditions_see = older.as_ref().unwrap_or(&seen);
            let authorised = Authorisation::of(&asked.action, &cx, conditions_see);
            if let Some(refusal) = caller.refusal(&authorised) {
                return Err(refusal);
            }
        }
        match action {
            Action::Read(read) => read(&seen, &cx),
            Action::Write(write) => {
                if let Some(mut older) = older
                    && let Err(refusal) = write(&mut older, &cx)
                    && refusal.is_about_state()
                {
                    return Err(refusal);
                }
                // On a copy, so that a refusal halfway leaves nothing behind.
                let mut account = account_in(history.current(), &account_id);
                let xml = write(&mut account, &cx)?;
                let store = history.current().insert(account_id.clone(), account);
                history.write(store, now);
                Ok(xml)
            }
        }
    }

    /// The account that the access key belongs to.
    fn account_of(&self, asked: &Asked) -> Result<String> {
        let config = &self.shared.config;
        if asked.access_key_id.is_empty() {
            return Err(IamError::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ));
        }
        if config.credentials.is_empty() {
            return Ok(config.account_id.clone());
        }
        config
            .credentials
            .get(&asked.access_key_id)
            .cloned()
            .ok_or_else(invalid_token)
    }

    /// The ARN that calls with the key are made with.
    fn caller_arn(&self, enforced: &[Enforced], asked: &Asked, account_id: &str) -> String {
        let key = &asked.access_key_id;
        let named = of_key(enforced, key).next();
        named.map_or_else(
            || {
                let partition = &self.shared.config.partition;
                format!("arn:{partition}:sts::{account_id}:assumed-role/emulated/{key}")
            },
            |caller| caller.principal_arn.caller(),
        )
    }

    /// The time of day, which goes as tokio's clock does.
    fn today(&self) -> Timestamp {
        let since = Instant::now().saturating_duration_since(self.shared.started);
        let since = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
        (self.shared.epoch.checked_add(since)).unwrap_or(Timestamp::MAX)
    }

    fn now_ms(&self) -> u64 {
        let since = Instant::now().saturating_duration_since(self.shared.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn ids(&self) -> &Ids {
        &self.shared.ids
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What follows on the effect.
enum Then {
    Answer,
    AnswerAfter(Duration),
    Close,
    Hang,
}

/// A copy of an account; an empty one where nothing was written yet.
fn account_in(store: &Store, account_id: &str) -> Account {
    store.get(account_id).cloned().unwrap_or_default()
}

/// The policies that hold callers with a key.
fn of_key<'a>(enforced: &'a [Enforced], key: &'a str) -> impl Iterator<Item = &'a Enforced> {
    enforced.iter().filter(move |one| one.access_key_id == key)
}

/// `GetCallerIdentity`, which needs no permission.
fn sts(asked: &Asked, account_id: &str, caller: &str) -> Result<Xml> {
    if asked.action != "GetCallerIdentity" {
        return Err(invalid_action(asked));
    }
    let mut xml = Xml::default();
    xml.text("Arn", caller);
    xml.text(
        "UserId",
        &format!("AROAEMULATEDCALLERAAA:{}", asked.access_key_id),
    );
    xml.text("Account", account_id);
    Ok(xml)
}

/// The refusal that a fault orders.
fn access_denied(asked: &Asked, caller: &str) -> IamError {
    let Asked {
        service,
        action,
        params,
        ..
    } = asked;
    let resource = if let Some(name) = params.get("InstanceProfileName") {
        format!("instance profile {name}")
    } else if let Some(name) = params.get("RoleName") {
        format!("role {name}")
    } else if let Some(arn) = params.get("PolicyArn") {
        format!("policy {arn}")
    } else if let Some(name) = params.get("PolicyName") {
        format!("policy {name}")
    } else {
        "*".to_owned()
    };
    IamError::new(
        403,
        "AccessDenied",
        format!(
            "User: {caller} is not authorized to perform: {service}:{action} on resource: \
             {resource} because no identity-based policy allows the {service}:{action} action"
        ),
    )
}

fn invalid_token() -> IamError {
    IamError::new(
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )
}

fn invalid_action(asked: &Asked) -> IamError {
    let version = asked
        .params
        .get("Version")
        .unwrap_or("NO_VERSION_SPECIFIED");
    IamError::new(
        400,
        "InvalidAction",
        format!(
            "Could not find operation {} for version {version}",
            asked.action
        ),
    )
}

impl Asked {
    fn read(incoming: &Incoming) -> Self {
        let params = Params::parse(&incoming.body);
        let sts = params.get("Version") == Some("2011-06-15");
        // AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, …
        let credential = incoming.authorization.split_once("Credential=");
        let access_key_id = credential
            .and_then(|(_, rest)| rest.split('/').next())
            .unwrap_or_default()
            .to_owned();
        Self {
            service: if sts { "sts" } else { "iam" },
            action: params.get("Action").unwrap_or_default().to_owned(),
            params,
            access_key_id,
        }
    }
}
