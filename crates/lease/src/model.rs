//! A model check of two candidates: every interleaving of reads, writes, lost requests and
//! replies, requests that arrive late, and candidates that stand still, up to a horizon.
//! (Not: someone deletes the Lease by hand. A candidate that has never seen the holder can't
//! know of it then.)

use std::sync::OnceLock;

use jiff::Timestamp;
use stateright::{Checker, Model, Property};

use super::*;

const LEASE: u8 = 3;
const DEADLINE: u8 = 2;
const HORIZON: u8 = 4;

/// A moment of the model: ticks after an origin that all share.
fn moment(tick: u8) -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now) + ticks(tick)
}

fn ticks(tick: u8) -> Duration {
    Duration::from_secs(u64::from(tick))
}

fn terms() -> Terms {
    Terms {
        lease: ticks(LEASE),
        renew_deadline: ticks(DEADLINE),
        retry: ticks(1),
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Request {
    Get,
    /// Over this version; `None` creates.
    Write {
        over: Option<u8>,
        record: Record,
        sent: u8,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Reply {
    Found(Option<(u8, Record)>),
    Written { record: Record, sent: u8 },
    Conflict,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Call {
    Idle,
    Sent(Request),
    Answered(Reply),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    view: View,
    /// When the last successful renewal was sent.
    sent: Option<u8>,
    /// Stopped for good.
    lost: bool,
    call: Call,
    /// One attempt a tick: the retry period.
    next: u8,
    /// A write that this node has given up waiting for, and that may still arrive.
    late: Option<Request>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    now: u8,
    lease: Option<(u8, Record)>,
    /// Also the version of the next write.
    writes: u8,
    nodes: [Node; 2],
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Tick,
    Ask(usize),
    Serve(usize),
    ServeLate(usize),
    Hear(usize),
    GiveUp(usize),
}

struct TwoCandidates;

impl State {
    fn permits(&self, node: usize) -> bool {
        let Node { sent, lost, .. } = &self.nodes[node];
        sent.filter(|_| !lost).is_some_and(|sent| {
            terms()
                .spare(moment(sent), moment(self.now), Duration::ZERO)
                .is_some()
        })
    }

    /// A write that was permitted earlier may still be under way: none outlives the lease as
    /// counted from the send of the renewal that permitted it.
    fn may_be_writing(&self, node: usize) -> bool {
        self.nodes[node]
            .sent
            .is_some_and(|sent| self.now < sent + LEASE)
    }

    fn serve(&mut self, request: Request) -> Reply {
        match request {
            Request::Get => Reply::Found(self.lease.clone()),
            Request::Write { over, record, sent } => {
                let version = self.lease.as_ref().map(|(version, _)| *version);
                if version != over {
                    return Reply::Conflict;
                }
                // No two writes have the same renewTime.
                self.writes += 1;
                let renewed = Timestamp::from_second(i64::from(self.writes)).ok();
                let record = Record {
                    renewed,
                    acquired: None,
                    transitions: 0,
                    ..record
                };
                self.lease = Some((self.writes, record.clone()));
                Reply::Written { record, sent }
            }
        }
    }

    fn hear(&mut self, index: usize, reply: Reply) {
        let now = self.now;
        let node = &mut self.nodes[index];
        node.call = Call::Idle;
        match reply {
            Reply::Conflict => {}
            Reply::Written { record, sent } => {
                node.view.saw(record, moment(now));
                node.sent = Some(sent);
            }
            Reply::Found(found) => {
                let over = found.as_ref().map(|(version, _)| *version);
                let record = found.map(|(_, record)| record);
                match node.view.judge(record, moment(now), Timestamp::UNIX_EPOCH) {
                    Decision::Held { .. } => node.lost = node.sent.is_some(),
                    Decision::Create(record) | Decision::Replace(record) => {
                        node.call = Call::Sent(Request::Write {
                            over,
                            record,
                            sent: now,
                        });
                    }
                }
            }
        }
        if node.sent.is_some_and(|sent| now >= sent + DEADLINE) {
            node.lost = true;
        }
        if node.lost {
            // What it knows does not matter any more.
            node.call = Call::Idle;
            node.view = View::new(String::new(), ticks(LEASE));
        }
    }
}

impl Model for TwoCandidates {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let node = |name: &str| Node {
            view: View::new(name.to_owned(), ticks(LEASE)),
            sent: None,
            lost: false,
            call: Call::Idle,
            next: 0,
            late: None,
        };
        let nodes = [node("a"), node("b")];
        vec![State {
            now: 0,
            lease: None,
            writes: 0,
            nodes,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.push(Action::Tick);
        for (index, node) in state.nodes.iter().enumerate() {
            match &node.call {
                Call::Idle if !node.lost && state.now >= node.next => {
                    actions.push(Action::Ask(index));
                }
                Call::Idle => {}
                // A read that is given up is a read that is served later.
                Call::Sent(Request::Get) => actions.push(Action::Serve(index)),
                Call::Answered(Reply::Found(_) | Reply::Conflict) => {
                    actions.push(Action::Hear(index));
                }
                Call::Sent(Request::Write { .. }) => {
                    actions.extend([Action::Serve(index), Action::GiveUp(index)]);
                }
                Call::Answered(Reply::Written { .. }) => {
                    actions.extend([Action::Hear(index), Action::GiveUp(index)]);
                }
            }
            if node.late.is_some() {
                actions.push(Action::ServeLate(index));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => state.now += 1,
            Action::Ask(node) => {
                state.nodes[node].call = Call::Sent(Request::Get);
                state.nodes[node].next = state.now + 1;
            }
            Action::Serve(node) => {
                let Call::Sent(request) = state.nodes[node].call.clone() else {
                    return None;
                };
                let reply = state.serve(request);
                state.nodes[node].call = Call::Answered(reply);
            }
            Action::ServeLate(node) => {
                let request = state.nodes[node].late.take()?;
                state.serve(request);
            }
            Action::Hear(node) => {
                let Call::Answered(reply) = state.nodes[node].call.clone() else {
                    return None;
                };
                state.hear(node, reply);
            }
            Action::GiveUp(node) => {
                let node = &mut state.nodes[node];
                if let Call::Sent(request @ Request::Write { .. }) = &node.call {
                    node.late = Some(request.clone());
                }
                node.call = Call::Idle;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "nobody starts while another may write",
                |_, state: &State| {
                    let clash = |one, other| state.permits(one) && state.may_be_writing(other);
                    !clash(0, 1) && !clash(1, 0)
                },
            ),
            Property::sometimes("the lease changes hands", |_, state: &State| {
                state.nodes[0].lost && state.permits(1)
            }),
        ]
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.now <= HORIZON
    }
}

#[test]
fn two_candidates_are_never_permitted_at_once() {
    let checker = TwoCandidates.checker().threads(2).spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    checker.assert_properties();
}
