//! Whoever dies in a rollout, the program or the supervisor or both, leaves nothing half done. The deaths are not at random: each comes at
//! a fact that is waited for.

use rustix::process::Signal;

use super::{
    Fact, NEXT, WEB, go_on, held, hold, is_whole, kill, revision, running, service, signal_supervisor,
};
use crate::home::{Home, eventually};
use crate::program::Running;

const FACTS: [Fact; 5] = [Fact::Submitted, Fact::Taken, Fact::Beside, Fact::Moved, Fact::Committed];

fn kill_supervisor(home: &Home) {
    signal_supervisor(home, Signal::KILL);
}

/// A deploy of what is held, in which this fact has come.
fn deploying(home: &Home, next: &str, fact: Fact) -> Running {
    let before = revision(home);
    hold(next);
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", next]);
    if fact.is_of_the_ready() {
        go_on(next);
    }
    fact.comes(home, before);
    deploy
}

#[test]
fn a_deploy_that_is_killed_at_any_step_is_finished_or_put_back_and_the_same_verb_ends_as_wanted() {
    let home = Home::running("shop", WEB, &[]);
    let (first, next) = (home.source("first", WEB), held(&home, "next", NEXT));
    for fact in FACTS {
        let deploy = deploying(&home, &next, fact);
        kill(deploy);
        go_on(&next);
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &next]);
        is_whole(&home, "second");
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &first]);
        is_whole(&home, "first");
    }
}

#[test]
fn a_restart_that_is_killed_at_any_step_is_finished_without_it() {
    let home = Home::new();
    let source = held(&home, "shop", WEB);
    go_on(&source);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    for file in ["next.json", "rollout.json"] {
        let before = home.pids("shop");
        hold(&source);
        let restart = home.start(&["ps-lifecycle", "restart", "shop"]);
        eventually(file, || if service(&home).join(file).exists() { Ok(()) } else { Err(String::new()) });
        kill(restart);
        go_on(&source);
        home.does(&["ps-lifecycle", "restart", "shop"]);
        is_whole(&home, "first");
        assert_ne!(home.pids("shop"), before);
    }
    // Nobody looks on: what was taken in is carried out all the same.
    let before = home.pids("shop");
    hold(&source);
    let restart = home.start(&["ps-lifecycle", "restart", "shop"]);
    Fact::Taken.comes(&home, 0);
    kill(restart);
    go_on(&source);
    eventually("another process has the slot", || match home.pids("shop") {
        pids if pids.len() == 1 && pids != before && running(&home, "first") == 1 => Ok(()),
        pids => Err(format!("{pids:?}")),
    });
    home.does(&["ps-lifecycle", "start", "shop"]);
    is_whole(&home, "first");
}

#[test]
fn a_supervisor_that_is_killed_at_any_step_is_succeeded_by_one_that_goes_on() {
    let home = Home::running("shop", WEB, &[]);
    let (first, next) = (home.source("first", WEB), held(&home, "next", NEXT));
    for fact in [Fact::Taken, Fact::Beside, Fact::Moved, Fact::Committed] {
        let deploy = deploying(&home, &next, fact);
        kill_supervisor(&home);
        go_on(&next);
        let ran = deploy.ended();
        assert_eq!(ran.status, Some(0), "{fact:?}: {ran:?}");
        // Where it was killed after the last word, the next verb has another one started.
        home.does(&["ps-lifecycle", "start", "shop"]);
        is_whole(&home, "second");
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &first]);
    }
}

#[test]
fn where_program_and_supervisor_are_killed_the_next_verb_ends_as_wanted() {
    let home = Home::running("shop", WEB, &[]);
    let (first, next) = (home.source("first", WEB), held(&home, "next", NEXT));
    for fact in [Fact::Taken, Fact::Beside, Fact::Moved] {
        let deploy = deploying(&home, &next, fact);
        kill(deploy);
        kill_supervisor(&home);
        // What was recorded before is what counts: the deploy never said that it was done.
        home.does(&["ps-lifecycle", "start", "shop"]);
        is_whole(&home, "first");
        go_on(&next);
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &next]);
        is_whole(&home, "second");
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &first]);
    }
}
