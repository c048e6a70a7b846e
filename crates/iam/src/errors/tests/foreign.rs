//! Answers of any shape through the real SDK: an error ends in one class with a remedy and publishes nothing
//! of others; and what is no whole answer is never read as what IAM holds.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

use aws_sdk_iam::config::http::HttpResponse;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config as Cases, RngSeed, TestRunner};
use smr_core::refusal::Remedy;

use super::*;

/// What no reader may see.
const THEIRS: [&str; 5] = [
    "444455556666",
    "o-exampleorgid",
    "arn:aws:iam::444455556666:role/platform/breakglass",
    "AROAEXAMPLEID1234567:their-session",
    "8d0a3c1e-5b5f-4b0f-9c6e-0123456789ab",
];

/// The codes that mean a class of their own, whatever the words and the status are.
const CODES: [(&str, FailureClass); 8] = [
    ("AccessDenied", FailureClass::AccessDenied),
    ("Throttling", FailureClass::Throttled),
    ("NoSuchEntity", FailureClass::NotFound),
    ("EntityAlreadyExists", FailureClass::AlreadyExists),
    ("ExpiredToken", FailureClass::Credentials),
    ("DeleteConflict", FailureClass::InUse),
    ("ServiceFailure", FailureClass::Unavailable),
    ("ConcurrentModification", FailureClass::ConcurrentChange),
];

/// Every call gets the answer that was set last.
#[derive(Clone, Debug, Default)]
struct Answers(Arc<Mutex<(u16, Vec<u8>)>>);

impl Answers {
    fn set(&self, status: u16, body: &[u8]) {
        *self.0.lock().unwrap() = (status, body.to_vec());
    }

    fn config(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        SdkConfig::builder()
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .credentials_provider(credentials())
            .build()
    }
}

impl HttpConnector for Answers {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = self.0.lock().unwrap().clone();
        let status = StatusCode::try_from(status).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body.into())))
    }
}

/// A body, and the class that its code means where the body is an error of AWS's.
type Body = (Vec<u8>, Option<FailureClass>);

/// A text in one of the ways in which XML has it.
fn written(text: &str, way: u8) -> String {
    match way {
        0 => text.to_owned(),
        1 => format!("<![CDATA[{text}]]>"),
        _ => text.chars().fold(String::new(), |mut all, c| {
            let _ = write!(all, "&#x{:x};", u32::from(c));
            all
        }),
    }
}

/// An error as AWS sends it, in every form that means the same.
fn errors() -> impl Strategy<Value = Body> {
    let form = (
        0..2_u8,
        0..3_u8,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    (select(&CODES[..]), form, select(&THEIRS[..])).prop_map(
        |((code, class), (way, of_message, has_prolog, has_namespace, is_last), theirs)| {
            let code = format!("<Code>{}</Code>", written(code, way * 2));
            let message = written(&format!("It is about {theirs} (see {theirs})."), of_message);
            let message = format!("<Message>{message}</Message>");
            let inner = if is_last { message + &code } else { code + &message };
            let namespace = " xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"";
            let body = format!(
                "{}<ErrorResponse{}><Error><Type>Sender</Type>{inner}</Error><RequestId>{}</RequestId></ErrorResponse>\r\n",
                if has_prolog { "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" } else { "" },
                if has_namespace { namespace } else { "" },
                THEIRS[4],
            );
            (body.into_bytes(), Some(class))
        },
    )
}

/// What is no error of AWS's.
fn others() -> impl Strategy<Value = Body> {
    let broken = (errors(), any::<Index>(), 0..4_u8).prop_map(|((mut body, _), at, how)| {
        let at = at.index(body.len());
        match how {
            0 => body.truncate(at),
            1 => body.insert(at, 0xff),
            2 => drop(body.splice(at..at, *b"<a>]]>")),
            _ => drop(body.splice(0..0, *b"\xef\xbb\xbf<!DOCTYPE a [<!ENTITY b \"c\">]>")),
        }
        body
    });
    let page = select(&THEIRS[..]).prop_map(|theirs| {
        let page = format!("<html><body><p>Blocked: {theirs}<br></body></html>");
        page.into_bytes()
    });
    let json = select(&THEIRS[..]).prop_map(|theirs| {
        let json = format!("{{\"__type\":\"Denied\",\"message\":\"{theirs}\"}}");
        json.into_bytes()
    });
    let any = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![4 => broken, 1 => page, 1 => json, 1 => any, 1 => Just(Vec::new())]
        .prop_map(|body| (body, None))
}

const STATUSES: [u16; 13] = [
    200, 302, 400, 401, 403, 404, 407, 408, 409, 429, 500, 502, 503,
];

fn runtime() -> tokio::runtime::Runtime {
    // Pauses between attempts take no time.
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Cases {
        cases,
        rng_seed: RngSeed::Fixed(20_261_128),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Cases::default()
    })
}

/// What has to hold of every failure, whatever was answered.
fn is_sound(failure: &Failure, status: u16, class: Option<FailureClass>) {
    let printed = [
        failure.to_string(),
        failure.while_it_may_pass(),
        format!("{failure:?}").replace(&format!("{:?}", failure.code), ""),
    ];
    for theirs in THEIRS {
        for printed in &printed {
            assert!(!printed.contains(theirs), "{theirs} in {printed}");
        }
    }
    assert!(printed[0].len() <= 1000 && printed[1].len() <= 1000);
    assert!(!printed[0].contains(": ."), "no cause: {}", printed[0]);
    match class {
        _ if status == 429 => assert_eq!(failure.class, FailureClass::Throttled),
        Some(class) => assert_eq!(failure.class, class, "{failure}"),
        // What is not AWS's is nobody's mistake in a spec, and nothing that IAM holds.
        None if failure.code.is_empty() => assert_eq!(failure.class, FailureClass::Unavailable),
        None => {}
    }
    let remedy = Remedy::of_read(failure.class);
    assert!(
        matches!(remedy, Remedy::Retry | Remedy::Stall),
        "{remedy:?}"
    );
    let is_retried = matches!(
        failure.class,
        FailureClass::Throttled
            | FailureClass::ConcurrentChange
            | FailureClass::Unavailable
            | FailureClass::NotFound
            | FailureClass::AlreadyExists
            | FailureClass::NoRoom
    );
    assert_eq!(remedy == Remedy::Retry, is_retried, "{failure:?}");
}

async fn refused(iam: &Iam, step: Step) -> Failure {
    let stages = vec![vec![step]];
    let (mut state, recent) = (Observed::default(), Recent::new(Arc::new(Still)));
    let failed = iam
        .apply(&account(), &names(), &Plan { stages }, &mut state, &recent)
        .await;
    failed.unwrap_err().remove(0).failure
}

#[test]
fn an_answer_of_any_shape_ends_in_one_class() {
    let runtime = runtime();
    let answers = Answers::default();
    let iam = iam(&answers.config());
    let any = (prop_oneof![errors(), others()], select(&STATUSES[..]));
    let outcome = runner(500).run(&any, |((body, class), status)| {
        answers.set(status, &body);
        // AWS answers no error with 200, and whatever comes with it is no answer to this call.
        let class = class.filter(|_| status >= 400);
        let failure = runtime.block_on(refused(&iam, create_role()));
        is_sound(&failure, status, class);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

/// STS's answers, good and bad: an account of twelve digits in a known partition, or a failure.
#[test]
fn an_answer_of_sts_is_an_account_or_a_failure() {
    let runtime = runtime();
    let answers = Answers::default();
    let callers = prop_oneof![
        select(&THEIRS[..]).prop_map(str::to_owned),
        "arn:(aws|aws-iso|o-exampleorgid|):(sts|iam)::([0-9]{12}|444455556666|aws|):(root|user/u|assumed-role/r/AROAEXAMPLEID1234567:their-session)",
        "[^<&]{0,40}",
    ];
    let callers = callers.prop_map(|arn| {
        let body = format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
        );
        (body.into_bytes(), None)
    });
    let any = (
        prop_oneof![callers, errors(), others()],
        select(&STATUSES[..]),
    );
    let outcome = runner(200).run(&any, |((body, class), status)| {
        answers.set(status, &body);
        let config = answers.config().to_builder();
        let config = config.behavior_version(BehaviorVersion::latest());
        let config = config.region(Region::new("us-east-1")).build();
        let gate = Gate::new(
            Budget::new(1000),
            Arc::new(Writes),
            CancellationToken::new(),
            Arc::new(Uncounted),
        );
        match runtime.block_on(Aws::new(&explained(&config), gate).account()) {
            Ok(account) => {
                let is_id =
                    account.id.len() == 12 && account.id.bytes().all(|b| b.is_ascii_digit());
                prop_assert!(is_id, "{account:?}");
            }
            Err(error) => match error.into_failure() {
                failure if failure.class == FailureClass::Partition => {
                    let text = failure.to_string();
                    for theirs in THEIRS {
                        prop_assert!(!text.contains(theirs), "{theirs} in {text}");
                    }
                }
                failure => is_sound(&failure, status, class.filter(|_| status >= 400)),
            },
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

/// What happens to an answer on its way.
#[derive(Clone, Debug)]
enum Harm {
    None,
    /// A byte that is no text.
    NoText(Index),
    /// The first tag of this name is called otherwise.
    Renamed(&'static str),
    /// A page in its place.
    Page,
    Nothing,
    /// A namespace and a comment, which change nothing.
    Spelled,
}

/// An emulator whose answers are harmed, but for those that are not asked for by `action`.
#[derive(Clone, Debug)]
struct Harmed {
    inner: Connector,
    action: &'static str,
    harm: Harm,
}

impl HttpClient for Harmed {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Harmed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self {
            inner,
            action,
            harm,
        } = self.clone();
        HttpConnectorFuture::new(async move {
            let sent = request.body().bytes().unwrap_or_default();
            let sent = String::from_utf8_lossy(sent).into_owned();
            let answer = inner.call(request).await?;
            if !sent.contains(&format!("Action={action}&")) {
                return Ok(answer);
            }
            let status = answer.status();
            let body = answer.body().bytes().unwrap_or_default().to_vec();
            Ok(HttpResponse::new(status, harm.done_to(body).into()))
        })
    }
}

impl Harm {
    fn done_to(&self, mut body: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8(body.clone()).unwrap();
        match self {
            Self::None => {}
            Self::NoText(at) => {
                let at = at.index(text.trim_end().len());
                body.insert(at, 0xff);
            }
            Self::Renamed(name) => {
                let renamed = text.replacen(&format!("<{name}"), "<Other", 1);
                body = renamed.into_bytes();
            }
            Self::Page => body = HTML.as_bytes().to_vec(),
            Self::Nothing => body.clear(),
            Self::Spelled => {
                let at = text.find('>').unwrap();
                let text = format!(
                    "<?xml version=\"1.0\"?>\r\n{}<!-- a -->{}",
                    &text[..=at],
                    &text[at + 1..]
                );
                body = text.into_bytes();
            }
        }
        body
    }
}

const HTML: &str = "<html><body>Please log in</body></html>";

/// What the account holds.
fn everything() -> Plan {
    let (mut role, mut policy) = (create_role(), create_policy());
    if let Step::Role(RoleStep::Create { trust, .. }) = &mut role {
        *trust = trust.replace("amazonaws.eu", "amazonaws.com");
    }
    if let Step::Policy(PolicyStep::Create { document, .. }) = &mut policy {
        *document = document.replace("aws-iso:kms:a-b-1", "aws:kms:eu-central-1");
    }
    let profile = ProfileStep::Create {
        path: "/session-manager/".to_owned(),
        name: "team.web".to_owned(),
        tags: smr_core::Tags::from([("a".to_owned(), "1".to_owned())]),
    };
    let steps = vec![
        vec![role, policy, Step::InstanceProfile(profile)],
        vec![add_to_profile()],
    ];
    Plan { stages: steps }
}

/// A reading of what does not come whole is a failure, and never a reading of something else: what is
/// missing in it would be made anew, and what is there would be left. (What breaks off the SDK reads as far
/// as it came; that the length is right is HTTP's to see.)
#[test]
fn a_broken_answer_is_never_a_reading() {
    let runtime = runtime();
    let emulator = Emulator::new(Config::default());
    let whole = reaching(&emulator);
    let (mut state, recent) = (Observed::default(), Recent::new(Arc::new(Still)));
    let (account, names, plan) = (account(), names(), everything());
    let made = whole.apply(&account, &names, &plan, &mut state, &recent);
    runtime.block_on(made).unwrap();
    let none = std::collections::BTreeSet::new();
    let read = |iam: &Iam| runtime.block_on(iam.observe(&account, &names, &none));
    let expected = read(&whole).unwrap();
    assert!(
        expected.role.is_some() && expected.policy.is_some() && expected.instance_profile.is_some()
    );
    let actions = &[
        "GetRole",
        "ListAttachedRolePolicies",
        "ListRolePolicies",
        "GetPolicy",
        "GetPolicyVersion",
        "ListPolicyVersions",
        "GetInstanceProfile",
    ];
    let harms = prop_oneof![
        1 => Just(Harm::None),
        6 => any::<Index>().prop_map(Harm::NoText),
        1 => Just(Harm::Page),
        1 => Just(Harm::Nothing),
        1 => Just(Harm::Spelled),
        2 => select(&["GetRoleR", "GetPolicyR", "ListRolePoliciesR", "GetInstanceProfileR"][..])
            .prop_map(Harm::Renamed),
    ];
    let any = (select(&actions[..]), harms);
    let outcome = runner(150).run(&any, |(action, harm)| {
        let inner = Connector::new(&emulator);
        let client = Harmed {
            inner,
            action,
            harm: harm.clone(),
        };
        let iam = iam(&SdkConfig::builder()
            .http_client(client)
            .credentials_provider(credentials())
            .build());
        match read(&iam) {
            Ok(observed) => prop_assert_eq!(observed, expected.clone(), "{} {:?}", action, harm),
            Err(failure) => {
                prop_assert_eq!(failure.class, FailureClass::Unavailable, "{}", failure);
                prop_assert!(
                    !matches!(harm, Harm::None | Harm::Spelled),
                    "{harm:?}: {failure}"
                );
            }
        }
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}

/// Each file is a body; the first word of its name is the class that it ends in.
#[test]
fn each_body_is_what_its_name_says() {
    let runtime = runtime();
    let answers = Answers::default();
    let iam = iam(&answers.config());
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/errors/tests/corpus");
    let mut count = 0;
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        answers.set(403, &std::fs::read(&path).unwrap());
        let failure = runtime.block_on(refused(&iam, create_role()));
        let class = format!("{:?}", failure.class).to_lowercase();
        assert_eq!(
            name.split('-').next(),
            Some(class.as_str()),
            "{name}: {failure}"
        );
        is_sound(&failure, 403, Some(failure.class));
        count += 1;
    }
    assert!(count >= 12, "{count}");
}

/// 100 KB of nothing, in the body and in the parts of an error.
#[test]
fn large_bodies_have_an_end() {
    let runtime = runtime();
    let answers = Answers::default();
    let iam = iam(&answers.config());
    for piece in ["<a>", "\0", "&lt;", "o-", "x"] {
        let garbage = piece.repeat(100_000 / piece.len());
        let parts = ["Code", "Message"].map(|part| {
            format!("<ErrorResponse><Error><{part}>{garbage}</{part}></Error></ErrorResponse>")
        });
        for body in parts.iter().chain([&garbage]) {
            answers.set(400, body.as_bytes());
            let failure = runtime.block_on(refused(&iam, create_role()));
            is_sound(&failure, 400, Some(failure.class));
        }
    }
}
