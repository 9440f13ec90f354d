//! What clients notice of a restart, and of a deploy that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use endurance::processes::until;
use endurance::traffic::{Traffic, is_answered};
use endurance::world::World;
use faults::note;

const APP: &str = "shop";
const WEB: &str = "web: faultapp --listen\n";
const SOON: Duration = Duration::from_secs(60);

fn up(counts: &[&str]) -> Result<(World, Vec<u16>)> {
    let world = World::new()?;
    world.deploy(APP, WEB, counts)?;
    let rows = world.status(APP)?;
    let ports = rows.values().map(|row| Ok(u16::try_from(row["port"].as_u64().context("a port")?)?));
    let ports: Vec<u16> = ports.collect::<Result<_>>()?;
    for port in &ports {
        until("it answers", SOON, || is_answered(*port).then_some(()))?;
    }
    Ok((world, ports))
}

/// From the first question without an answer to the last one in a row.
type Outage = (Instant, Instant);

/// Asks a port all the time, until it is told to end.
fn outages_of(port: u16, ends: Arc<AtomicBool>) -> JoinHandle<Vec<Outage>> {
    thread::spawn(move || {
        let (mut outages, mut open): (Vec<Outage>, Option<Outage>) = (Vec::new(), None);
        while !ends.load(Ordering::Relaxed) {
            let asked = Instant::now();
            if is_answered(port) {
                outages.extend(open.take());
            } else {
                open = Some(open.map_or((asked, asked), |(since, _)| (since, asked)));
            }
            thread::sleep(Duration::from_millis(2));
        }
        outages.extend(open);
        outages
    })
}

fn three_of_four_answer_in_a_restart() -> Result<()> {
    let (world, ports) = up(&["web=4"])?;
    let ends = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = ports.iter().map(|port| outages_of(*port, Arc::clone(&ends))).collect();
    let before = world.pids(APP)?;
    let restarted = world.does(&["ps-lifecycle", "restart", APP]);
    let all_answer = || ports.iter().all(|port| is_answered(*port)).then_some(());
    let answered = until("all answer again", SOON, all_answer);
    ends.store(true, Ordering::Relaxed);
    let outages: Vec<Vec<Outage>> =
        asking.into_iter().map(|asked| asked.join().unwrap_or_default()).collect();
    restarted.and(answered)?;
    let after = world.pids(APP)?;
    ensure!(
        before.iter().all(|(slot, pid)| after.get(slot).is_some_and(|now| now != pid)),
        "{before:?} {after:?}"
    );
    let longest = outages.iter().flatten().map(|(since, until)| *until - *since).max().unwrap_or_default();
    note(&format!(
        "restart of web=4: {} outages of one of four, the longest {longest:?}",
        outages.concat().len()
    ));
    for (n, own) in outages.iter().enumerate() {
        let others = || outages[n + 1..].iter().flatten();
        let together = |own: &Outage| others().find(|other| own.0 < other.1 && other.0 < own.1);
        ensure!(own.iter().all(|own| together(own).is_none()), "two of four were down at once: {outages:?}");
    }
    Ok(())
}

fn a_failing_deploy_is_not_noticed() -> Result<()> {
    let (world, ports) = up(&["web=1"])?;
    let (before, traffic) = (world.pids(APP)?, Traffic::on(ports[0]));
    let deployed = world.deploy(APP, "web: faultapp --exit-after 300 --exit-code 1\n", &[]);
    let answers = traffic.end();
    note(&format!("failing deploy: {} answers, {} failures", answers.good, answers.bad));
    ensure!(deployed.is_err(), "a release that dies was deployed");
    ensure!(answers.bad == 0 && answers.good > 0, "{answers:?}");
    ensure!(world.pids(APP)? == before, "not the same process");
    Ok(())
}

fn holds(test: impl FnOnce() -> Result<()>) {
    if let Err(error) = test() {
        panic!("{error:#}");
    }
}

#[test]
fn of_four_instances_without_an_address_three_answer_throughout_a_restart() {
    holds(three_of_four_answer_in_a_restart);
}

#[test]
fn a_deploy_that_fails_costs_the_clients_of_the_healthy_release_nothing() {
    holds(a_failing_deploy_is_not_noticed);
}
