//! Nobody waits for whoever tells: here it is stopped while it works.

use rustix::process::{Signal, kill_process};

use crate::home::{Home, eventually};
use crate::receiver::{Place, Receiver, deploy, home_of, kill, tellers};

/// A home whose app has the one that tells stopped, while the webhook does not answer it.
fn stuck(receiver: &Receiver) -> Place {
    let home = home_of(&receiver.address());
    deploy(&home, "always");
    receiver.try_of("deploy-finished", "never");
    for teller in tellers(&home) {
        kill_process(teller, Signal::STOP).expect("it lives");
    }
    home
}

fn go_on(home: &Home) {
    for teller in tellers(home) {
        kill_process(teller, Signal::CONT).expect("it lives");
    }
}

fn is_up_again(home: &Home, before: u64) {
    eventually("it was started again", || {
        let pids = home.pids("shop");
        if pids.get("web.1").is_some_and(|pid| *pid != before) { Ok(()) } else { Err(format!("{pids:?}")) }
    });
}

#[test]
fn neither_a_restart_nor_a_verb_waits_and_all_is_told_in_the_end() {
    let Some(receiver) = Receiver::start("never") else { return };
    let home = stuck(&receiver);
    assert_eq!(tellers(&home).len(), 1);
    is_up_again(&home, kill(&home));
    let before = home.pids("shop")["web.1"];
    home.does(&["ps-lifecycle", "restart", "shop"]);
    is_up_again(&home, before);
    go_on(&home);
    receiver.takes("process-exited");
    receiver.takes("deploy-finished");
}

#[test]
fn a_supervisor_that_is_killed_takes_nothing_of_it_along() {
    let Some(receiver) = Receiver::start("never") else { return };
    let home = stuck(&receiver);
    let supervisors = home.supervisors();
    for supervisor in &supervisors {
        kill_process(*supervisor, Signal::KILL).expect("it lives");
    }
    eventually("another one is there", || {
        let now = home.supervisors();
        if now.iter().any(|one| !supervisors.contains(one)) { Ok(()) } else { Err(format!("{now:?}")) }
    });
    is_up_again(&home, kill(&home));
    go_on(&home);
    receiver.takes("process-exited");
    receiver.takes("deploy-finished");
}
