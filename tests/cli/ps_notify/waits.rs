//! Nobody waits for whoever tells: here it is stopped while it works. And no alert waits for a receiver that hangs with an earlier one.

use formation::Slot;
use ps_apps::World;
use ps_journal::Journal;
use rustix::process::{Signal, kill_process};

use crate::home::{Home, eventually};
use crate::receiver::{Place, Receiver, deploy, failures, home_of, kill, set, tellers};

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

/// An incident in the journal, of which nobody is told yet.
fn an_incident(home: &Home) {
    let world = World::new(home.path("home"), home.path("lib"));
    let app = "shop".parse().expect("a name");
    let slot: Slot = "web.1".parse().expect("a slot");
    let slots = std::slice::from_ref(&slot);
    Journal::of(&world, &app).happened("memory", slots, None, "it grew", true, |loss| panic!("{loss}"));
}

#[test]
fn an_alert_does_not_wait_for_a_webhook_that_hangs_with_an_earlier_one() {
    let Some(receiver) = Receiver::start("deploy-finished=never") else { return };
    let home = Place::new();
    deploy(&home, "no");
    an_incident(&home);
    set(&home, "shop", &receiver.address());
    home.does(&["ps-notify", "shop"]);
    let tries = receiver.tries();
    let events: Vec<&str> = tries.iter().filter_map(|told| told["alert"]["event"].as_str()).collect();
    assert_eq!(events, ["deploy-finished", "incident", "deploy-finished", "deploy-finished"]);
    assert_eq!(
        failures(&home),
        ["deploy-finished was not told: the webhook, tried 3 times: no answer within 5 s"]
    );
    // All of it was seen to.
    home.does(&["ps-notify", "shop"]);
    assert_eq!(receiver.tries().len(), 4);
}

#[test]
fn an_alert_does_not_wait_for_a_hook_that_hangs_with_an_earlier_one() {
    let home = Place::new();
    deploy(&home, "no");
    an_incident(&home);
    home.hook(
        "mail/on-event",
        "#!/bin/sh\nif [ \"$2\" = incident ]; then : >\"$HOME/told\"; exit; fi\nuntil [ -e \"$HOME/told\" ]; do sleep 0.1; done\n",
    );
    home.does(&["ps-notify", "shop"]);
    assert_eq!(failures(&home), [""; 0]);
    assert!(home.path("told").exists());
}
