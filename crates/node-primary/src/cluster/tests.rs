//! Tests of the state machine, with numbers as connections.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::json;

use super::*;
use crate::place::Port;

fn place(number: u16) -> Place {
    let address = Some(Ipv4Addr::LOCALHOST.into());
    let port = Port { address, scope: 0, number, is_v6_only: false, is_v6: false, index: 0, reuses: false };
    Place::Tcp(port)
}

fn name(number: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, number).into()
}

/// A cluster whose workers 1 to `workers` listen at port 80.
fn listening(workers: u64) -> Cluster<u32> {
    let mut cluster = Cluster::new(false);
    for id in 1..=workers {
        cluster.join(id, true);
        listen(&mut cluster, id, 80);
    }
    cluster
}

fn listen(cluster: &mut Cluster<u32>, id: Id, number: u16) {
    let query = Query { asked: Asked::Number(7), place: Ok(place(number)), backlog: 0, data: json!(id) };
    let asked = cluster.hear(id, Said::Query(query.clone()));
    assert_eq!(asked, [Act::Open(id, query.clone(), place(number))]);
    let told = cluster.opened(id, &query, Ok(Some(name(number))));
    assert!(
        matches!(&told[..], [Act::Tell(to, message), ..] if *to == id && message["ack"] == 7),
        "{told:?}"
    );
    cluster.hear(id, Said::Listening);
}

/// The workers that were sent connections, each with the number of the message.
fn handed(acts: &[Act<u32>]) -> Vec<(Id, u64, u32)> {
    let handed = |act: &Act<u32>| match act {
        Act::Hand(id, message, connection) => Some((*id, message["seq"].as_u64()?, *connection)),
        _ => None,
    };
    acts.iter().filter_map(handed).collect()
}

#[test]
fn workers_get_connections_in_turns_and_one_at_a_time() {
    let mut cluster = listening(3);
    let mut to = Vec::new();
    for connection in 0..9 {
        assert!(cluster.wants(&place(80)));
        let (id, seq, _) = handed(&cluster.accepted(&place(80), connection))[0];
        cluster.hear(id, Said::HandleTaken);
        assert_eq!(cluster.hear(id, Said::Answer { to: seq, accepted: true }), []);
        to.push(id);
    }
    assert_eq!(to, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
    for (connection, worker) in (10..).zip(1..=3) {
        assert_eq!(handed(&cluster.accepted(&place(80), connection))[0].0, worker);
    }
    assert!(!cluster.wants(&place(80)), "all three have one that they have not answered for");
    assert_eq!(cluster.worker(1).map(|worker| worker.taken), Some(3));
}

#[test]
fn a_connection_that_a_worker_refused_or_died_with_goes_to_another_one() {
    let mut cluster = listening(3);
    let (first, seq, _) = handed(&cluster.accepted(&place(80), 5))[0];
    let again = handed(&cluster.hear(first, Said::Answer { to: seq, accepted: false }));
    assert_eq!((again[0].0, again[0].2), (2, 5));
    let again = handed(&cluster.gone(2));
    assert_eq!((again[0].0, again[0].2), (3, 5));
    // The message of a worker to which a descriptor did not arrive.
    assert_eq!(handed(&cluster.hear(3, Said::HandleMissed)), []);
    assert_eq!(cluster.hear(1, Said::Other), []);
}

#[test]
fn a_connection_that_every_worker_refused_is_closed_but_one_of_a_worker_that_leaves_waits() {
    let mut cluster = listening(1);
    let (id, seq, _) = handed(&cluster.accepted(&place(80), 5))[0];
    assert_eq!(cluster.hear(id, Said::Answer { to: seq, accepted: false }), [Act::Close(5)]);

    let (id, seq, _) = handed(&cluster.accepted(&place(80), 6))[0];
    assert_eq!(cluster.leave(id), [Act::Tell(id, wire::disconnect(false))]);
    assert_eq!(cluster.hear(id, Said::Close { key: key(&place(80)) }), [], "its place stays open");
    assert_eq!(cluster.hear(id, Said::Answer { to: seq, accepted: false }), []);
    assert_eq!(cluster.gone(id), []);
    cluster.join(2, true);
    let query = Query { asked: Asked::Number(1), place: Ok(place(80)), backlog: 0, data: Value::Null };
    cluster.hear(2, Said::Query(query.clone()));
    assert_eq!(handed(&cluster.opened(2, &query, Ok(Some(name(80))))), [], "it does not listen yet");
    assert_eq!(handed(&cluster.hear(2, Said::Listening))[0].2, 6);
}

#[test]
fn a_worker_that_is_not_admitted_or_leaves_gets_nothing() {
    let mut cluster: Cluster<u32> = Cluster::new(false);
    cluster.join(1, false);
    listen(&mut cluster, 1, 80);
    assert!(!cluster.wants(&place(80)));
    cluster.admit(1);
    assert!(cluster.wants(&place(80)));
    assert_eq!(
        cluster.hear(1, Said::Leaves(Asked::Number(9))),
        [Act::Tell(1, wire::heard(&Asked::Number(9)))]
    );
    assert!(!cluster.wants(&place(80)));
    assert_eq!(cluster.leave(1), [], "it leaves already");
    let query = Query { asked: Asked::Number(1), place: Ok(place(81)), backlog: 0, data: Value::Null };
    assert_eq!(cluster.hear(1, Said::Query(query)), []);
}

#[test]
fn a_place_is_shut_when_its_last_worker_closes_it_and_kept_when_that_dies() {
    let mut cluster = listening(2);
    assert_eq!(cluster.hear(1, Said::Close { key: key(&place(80)) }), []);
    assert_eq!(cluster.hear(2, Said::Close { key: key(&place(80)) }), [Act::Shut(place(80))]);
    assert_eq!(cluster.hear(2, Said::Close { key: "what".to_owned() }), []);
    listen(&mut cluster, 1, 80);
    assert_eq!(cluster.gone(1), []);
    assert_eq!(cluster.places().collect::<Vec<_>>(), [&place(80)]);
    assert_eq!(cluster.shut_unused(), [Act::Shut(place(80))]);
    assert_eq!(cluster.accepted(&place(80), 3), [Act::Close(3)]);
}

#[test]
fn workers_share_the_data_of_the_first_and_one_cannot_listen_twice_at_a_port() {
    let mut cluster = listening(1);
    cluster.join(2, true);
    let query = Query { asked: Asked::Number(3), place: Ok(place(80)), backlog: 0, data: json!("of two") };
    let acts = cluster.opened(2, &query, Ok(Some(name(80))));
    assert!(matches!(&acts[..], [Act::Tell(2, message)] if message["data"] == 1), "{acts:?}");
    let refused = cluster.hear(2, Said::Query(query));
    assert_eq!(refused, [Act::Tell(2, wire::may_not_listen(&Asked::Number(3), Errno::ADDRINUSE))]);
    let query = Query { asked: Asked::Number(4), place: Err(Errno::BADF), backlog: 0, data: Value::Null };
    assert_eq!(
        cluster.hear(2, Said::Query(query)),
        [Act::Tell(2, wire::may_not_listen(&Asked::Number(4), Errno::BADF))]
    );
}

#[test]
fn whatever_a_stranger_says_changes_nothing() {
    let mut cluster = listening(1);
    for said in [Said::Listening, Said::Answer { to: 1, accepted: true }, Said::HandleMissed, Said::Garbage] {
        assert_eq!(cluster.hear(9, said), []);
    }
    assert_eq!(cluster.hear(1, Said::Answer { to: 99, accepted: false }), []);
    assert_eq!(cluster.gone(9), []);
    assert!(cluster.wants(&place(80)));
}

#[test]
fn a_worker_of_node_0_10_gets_the_socket_and_no_connections() {
    let mut cluster: Cluster<u32> = Cluster::new(false);
    cluster.join(1, true);
    let asked = Asked::Word("1:1".to_owned());
    let query = Query { asked: asked.clone(), place: Ok(place(80)), backlog: 0, data: Value::Null };
    assert_eq!(cluster.hear(1, Said::Query(query.clone())), [Act::Open(1, query.clone(), place(80))]);
    let acts = cluster.opened(1, &query, Ok(Some(name(80))));
    assert_eq!(acts, [Act::Share(1, wire::heard(&asked), place(80))]);
    cluster.hear(1, Said::Listening);
    assert!(!cluster.wants(&place(80)));
    assert_eq!(cluster.leave(1), [Act::Tell(1, wire::disconnect(true))]);
}
