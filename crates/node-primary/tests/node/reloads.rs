//! Rolling reloads under load: each worker is replaced by a new one that listens already, and leaves when its last connection has
//! ended. No client notices.

use std::path::Path;

use node_primary::Id;
use rustix::process::Signal;

use crate::clients::{Load, Summary};
use crate::fleet::{Fleet, app, node, port, preload};

/// How the old workers end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// They are told to leave.
    Told,
    /// They are told to leave, and no client keeps its connection.
    ToldWithoutKept,
    /// They are killed, which clients notice.
    Killed,
}

/// Reloads an app with `size` workers this many times, under the load of eight clients.
pub(crate) fn reload(node: &Path, size: usize, times: usize, manner: Manner) -> Summary {
    let preload = format!("--require {}", preload().display());
    let port = port();
    let environment = [("PORT", port.to_string()), ("NODE_OPTIONS", preload)];
    let mut fleet = Fleet::new(node, app("http.js"), &environment);
    let mut present = fleet.start_all(size);
    let load = Load::begin(port, manner != Manner::ToldWithoutKept);
    let mut leaving: Vec<Id> = Vec::new();
    for _ in 0..times {
        for place in &mut present {
            let next = fleet.start();
            fleet.until("the new one listens", |fleet| fleet.listens(next));
            let old = std::mem::replace(place, next);
            match manner {
                Manner::Told | Manner::ToldWithoutKept => fleet.primary.leave(old),
                Manner::Killed => fleet.signal(old, Signal::KILL),
            }
            leaving.push(old);
        }
    }
    let before: Vec<u64> = present.iter().map(|id| fleet.primary.taken(*id)).collect();
    fleet.until("all have left", |fleet| leaving.iter().all(|id| fleet.primary.phase(*id).is_none()));
    fleet.until("each is given 20 more", |fleet| {
        present.iter().zip(&before).all(|(id, before)| fleet.primary.taken(*id) >= before + 20)
    });
    load.stop();
    fleet.until("the clients are done", |_| load.has_stopped());
    load.summary()
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are worth a look")]
fn rolling_reloads_lose_no_request_of_new_and_of_kept_connections() {
    let Some(node) = node() else { return };
    let times = if std::env::var_os("FORMATION_TEST_LONG").is_some() { 200 } else { 3 };
    let seen = reload(&node, 4, times, Manner::Told);
    let (processes, lost) = (seen.by_process.len(), seen.failed.len());
    eprintln!("{times} reloads: {} answered by {processes} processes, {lost} failed", seen.answered);
    assert_eq!(seen.failed, [""; 0]);
    assert!(processes >= 4 * times, "only {processes} processes have answered");
}

#[test]
fn clients_that_keep_connections_notice_workers_that_are_killed() {
    let Some(node) = node() else { return };
    let seen = reload(&node, 2, 1, Manner::Killed);
    assert_ne!(seen.failed, [""; 0], "the load of the test above would not see a loss");
}
