//! Supervisors and the root are killed by the hundred, under load, and the app notices nothing of it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use endurance::evidence::Wrongs;
use endurance::part::{Chance, count};
use endurance::traffic::{Traffic, is_answered};
use endurance::world::World;
use endurance::{fifo_log, processes};
use faults::{note, programs};
use serde_json::Value;

const APP: &str = "shop";
/// How a `mayfly` ends, every time.
const MAYFLY_STATUS: u64 = 7;
/// Each of these is one process; `mayfly` alone ends by itself, once there is a file `go`: a deploy in which it died would fail.
const PROCFILE: &str = "\
web: faultapp --listen
writer: faultapp --log-rate 2000
idler: faultapp --tick 60
mayfly: while ! test -e go; do sleep 0.1; done; exec faultapp --exit-after 1500 --exit-code 7
";
/// In which what runs is taken over. A claim about time is for a run that has the machine for itself: the long one.
const ADOPTED: Duration = Duration::from_secs(1);

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Whom {
    Supervisor,
    Root,
}

/// An app under load.
struct Load {
    world: World,
    steady: Vec<(String, u64)>,
    traffic: Traffic,
    chance: Chance,
    unknown_exits: usize,
    known_exits: usize,
    slowest: Duration,
}

impl Load {
    fn start() -> Result<Self> {
        let world = World::new()?;
        fs::create_dir_all(world.path("lib/config/ps"))?;
        fs::create_dir_all(world.path("home").join(APP))?;
        world.does(&["ps-set", APP, "restart-policy", "always"])?;
        world.deploy(APP, PROCFILE, &["web=1", "writer=1", "idler=4", "mayfly=1"])?;
        fs::write(world.path(&format!("source-{APP}/go")), "")?;
        processes::until("the mayfly waits no more", Duration::from_secs(20), || {
            world.processes(APP).values().any(|line| line.starts_with("faultapp --exit-after")).then_some(())
        })?;
        let port = world.status(APP)?["web.1"]["port"].as_u64().context("the web has a port")?;
        let port = u16::try_from(port)?;
        processes::until("the web answers", Duration::from_secs(20), || is_answered(port).then_some(()))?;
        let steady = Self::steady(&world)?;
        ensure!(steady.len() == 6, "{steady:?}");
        let (traffic, chance) = (Traffic::on(port), Chance::begin()?);
        Ok(Self { world, steady, traffic, chance, unknown_exits: 0, known_exits: 0, slowest: Duration::ZERO })
    }

    /// What must be there afterwards as it was before.
    fn steady(world: &World) -> Result<Vec<(String, u64)>> {
        let pids = world.pids(APP)?.into_iter();
        Ok(pids.filter(|(slot, _)| !slot.starts_with("mayfly")).collect())
    }

    /// Kills whoever is meant so many times; each time it waits for whoever comes next and looks at everything.
    fn kill(&mut self, whom: &[Whom], times: usize) -> Result<()> {
        for round in 1..=times {
            self.chance.pause();
            let mut pids = Vec::new();
            for one in whom {
                pids.push(match one {
                    Whom::Supervisor => self.world.supervisor(APP)?,
                    Whom::Root => self.world.root().context("no root lives")?,
                });
            }
            pids.into_iter().try_for_each(processes::kill)?;
            self.look().with_context(|| format!("after {round} deaths"))?;
            if round % 100 == 0 {
                note(&format!("{round} deaths of {whom:?}"));
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Result<()> {
        self.slowest = self.slowest.max(self.world.succeed(APP)?);
        ensure!(
            Self::steady(&self.world)? == self.steady,
            "{:?}, not {:?}",
            self.world.pids(APP)?,
            self.steady
        );
        let all = self.world.processes(APP);
        let second = all.iter().filter(|(_, line)| !line.contains("--exit-after")).count();
        ensure!(second == self.steady.len(), "a second copy: {all:?}");
        let exit = self.world.status(APP)?["mayfly.1"]["last_exit"].clone();
        match exit {
            Value::Null => self.unknown_exits += 1,
            exit => {
                let text = exit.to_string();
                ensure!(text.contains(&MAYFLY_STATUS.to_string()), "an exit that never was: {text}");
                self.known_exits += 1;
            }
        }
        Ok(())
    }

    /// Ends the load; what it says in one line.
    fn end(self, killed: &str, kills: usize) -> Result<()> {
        let answers = self.traffic.end();
        let (wrongs, lines) = Wrongs::of(&self.world.log(APP, "writer.1")?, |_| false);
        note(&format!(
            "{killed} killed {kills} times: {} answers, {} failures; {lines} lines: {wrongs}; exits known {}, unknown {}; slowest adoption {:?}",
            answers.good, answers.bad, self.known_exits, self.unknown_exits, self.slowest
        ));
        ensure!(answers.bad == 0 && answers.good > 0, "{answers:?}");
        ensure!(wrongs.are_none() && lines > 0, "{lines} lines: {wrongs}");
        is_soon(self.slowest)
    }
}

fn is_soon(adoption: Duration) -> Result<()> {
    ensure!(!faults::long() || adoption < ADOPTED, "an adoption took {adoption:?}");
    Ok(())
}

fn holds(test: impl FnOnce() -> Result<()>) {
    if let Err(error) = test() {
        panic!("{error:#}");
    }
}

/// Has them killed so many times under load.
fn nothing_is_noticed_of(whom: &[Whom], plain: usize, long: usize) {
    holds(|| {
        let times = count(plain, long)?;
        let mut load = Load::start()?;
        load.kill(whom, times)?;
        load.end(&format!("{whom:?}"), times)
    });
}

#[test]
fn an_app_under_load_notices_nothing_of_the_deaths_of_its_supervisor() {
    nothing_is_noticed_of(&[Whom::Supervisor], 20, 1000);
}

#[test]
fn an_app_under_load_notices_nothing_of_the_deaths_of_the_root() {
    nothing_is_noticed_of(&[Whom::Root], 10, 1000);
}

#[test]
fn an_app_under_load_notices_nothing_where_both_die_at_once() {
    nothing_is_noticed_of(&[Whom::Root, Whom::Supervisor], 10, 200);
}

#[test]
fn three_hundred_processes_among_thousands_are_taken_over_within_a_second() {
    holds(|| {
        let others = faults::count(300, 2500);
        let many = faults::count(60, 300);
        let world = World::new()?;
        world.deploy_with_any_ports(APP, "idler: sleep 1000000\n", &[&format!("idler={many}")])?;
        let script = format!("n=0; while [ $n -lt {others} ]; do sleep 1000000 & n=$((n + 1)); done; wait");
        let mut crowd = std::process::Command::new("sh");
        let mut crowd =
            std::os::unix::process::CommandExt::process_group(crowd.args(["-c", &script]), 0).spawn()?;
        let before = world.pids(APP)?;
        let mut slowest = Duration::ZERO;
        let killed = (0..count(3, 50)?).try_for_each(|_| -> Result<()> {
            processes::kill(world.supervisor(APP)?)?;
            slowest = slowest.max(world.succeed(APP)?);
            ensure!(world.pids(APP)? == before, "not the same processes");
            Ok(())
        });
        let group = rustix::process::Pid::from_child(&crowd);
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL)?;
        crowd.wait()?;
        killed?;
        note(&format!("{many} processes among {others} others: slowest adoption {slowest:?}"));
        is_soon(slowest)
    });
}

#[test]
fn a_logger_that_reads_and_writes_is_caught() {
    holds(|| {
        programs::build()?;
        let wrongs =
            fifo_log::killed_while_it_logs(&programs::path("reading-logger")?, faults::count(40, 200))?;
        note(&format!("reading-logger (control): {wrongs}"));
        ensure!(!wrongs.are_none(), "nothing was seen of what it lost: the harness is blind");
        Ok(())
    });
}
