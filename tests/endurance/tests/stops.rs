//! Trees whose members each fork twice, lead sessions of their own and are deaf to SIGTERM are stopped by the hundred: nothing of them is left
//! once the grace period and a second are over, and a tree of the same name that is not ours lives on.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use endurance::part::count;
use endurance::processes::{self, until, with_variable};
use endurance::world::World;
use faults::{note, programs};

const APP: &str = "forest";
const TREE: &str = "faultapp --ignore-term --fork-tree 3 2 --setsid --tick 60";
/// One founder, two children, four, eight.
const MEMBERS: usize = 15;
const GRACE: Duration = Duration::from_secs(1);
const BYSTANDER: &str = "BYSTANDER_OF_STOPS";
/// So many looks in a row that show the same processes.
const STEADY: usize = 20;
const SOON: Duration = Duration::from_secs(60);

/// Whether supervisors find a cgroup file system in which a group can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cgroups {
    There,
    Away,
}

/// A world in which every program sees that, or does not.
struct Forest {
    world: World,
    cgroups: Cgroups,
}

impl Forest {
    fn deploy(cgroups: Cgroups, trees: usize) -> Result<Self> {
        let forest = Self { world: World::new()?, cgroups };
        let source = forest.world.path("source");
        std::fs::create_dir_all(&source)?;
        std::fs::write(source.join("Procfile"), format!("tree: {TREE}\n"))?;
        std::fs::create_dir_all(forest.world.path("home").join(APP))?;
        forest.does(&["ps-set", APP, "stop-timeout-seconds", &GRACE.as_secs().to_string()])?;
        let source = source.display().to_string();
        forest.does(&[
            "ps-lifecycle",
            "deploy",
            APP,
            "--dir",
            &source,
            "--scale",
            &format!("tree={trees}"),
        ])?;
        Ok(forest)
    }

    fn does(&self, words: &[&str]) -> Result<()> {
        let mut command = self.world.command(words)?;
        if self.cgroups == Cgroups::Away {
            let mut outside = Command::new("unshare");
            outside.args(["--mount", "sh", "-c", "umount -l -a -t cgroup2; exec \"$@\"", "sh"]);
            outside.arg(command.get_program()).args(command.get_args()).env_clear();
            outside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            outside.current_dir(self.world.path("")).stdin(Stdio::null());
            command = outside;
        }
        let ran = command.output().with_context(|| format!("run {words:?}"))?;
        ensure!(ran.status.success(), "{words:?}: {}: {}", ran.status, String::from_utf8_lossy(&ran.stderr));
        Ok(())
    }

    /// Whether its supervisor makes cgroups: then it has recorded what their names begin with.
    fn makes_cgroups(&self) -> bool {
        self.world.service(APP).join("id").exists()
    }

    /// Stops all trees, once they are complete; how long that took until nothing was left.
    fn stop(&self, trees: usize) -> Result<Duration> {
        let is_complete = || (self.world.processes(APP).len() >= trees * MEMBERS).then_some(());
        until("the trees are complete", SOON, is_complete)?;
        let begin = Instant::now();
        self.does(&["ps-lifecycle", "stop", APP])?;
        let took = begin.elapsed();
        let left = self.world.processes(APP);
        ensure!(left.is_empty(), "{} are left: {left:?}", left.len());
        Ok(took)
    }
}

/// A tree like the others, of the same name, that nobody of ours has started.
struct Bystander {
    founder: Child,
    mark: String,
}

impl Bystander {
    fn start(cgroups: Cgroups) -> Result<Self> {
        let mut command = Command::new(programs::path("faultapp")?);
        command.args(TREE.split(' ').skip(1)).env_remove("FORMATION_INSTANCE");
        command.env(BYSTANDER, format!("{cgroups:?}"));
        let founder = command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0).spawn()?;
        let bystander = Self { founder, mark: format!("{BYSTANDER}={cgroups:?}") };
        // While it forks, a member that is about to end may be in the place of one that is to come.
        let (mut before, mut looks) = (BTreeMap::new(), 0);
        until("the bystander is complete", SOON, || {
            let now = bystander.members();
            looks = if now.len() == MEMBERS && now == before { looks + 1 } else { 0 };
            before = now;
            (looks == STEADY).then_some(())
        })?;
        Ok(bystander)
    }

    fn members(&self) -> BTreeMap<u32, String> {
        with_variable(&self.mark)
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        for pid in self.members().into_keys() {
            let _ = processes::kill(pid);
        }
        let _ = self.founder.wait();
    }
}

fn stop_by_the_hundred(cgroups: Cgroups) -> Result<()> {
    let (trees, rounds) = (faults::count(10, 20), count(2, 50)?);
    programs::build()?;
    let bystander = Bystander::start(cgroups)?;
    let before = bystander.members();
    let forest = Forest::deploy(cgroups, trees)?;
    if cgroups == Cgroups::There && !forest.makes_cgroups() {
        skipped::skip("no cgroup of version 2 can be made");
        return Ok(());
    }
    ensure!(
        forest.makes_cgroups() == (cgroups == Cgroups::There),
        "the supervisor sees other cgroups than it should"
    );
    let (mut slowest, mut stops) = (Duration::ZERO, 0);
    for round in 1..=rounds {
        slowest = slowest.max(forest.stop(trees).with_context(|| format!("stop {round} of {trees} trees"))?);
        stops += trees;
        let after = bystander.members();
        ensure!(after == before, "the bystander was not left alone: {after:?}");
        if round < rounds {
            forest.does(&["ps-lifecycle", "start", APP])?;
        }
    }
    note(&format!(
        "{stops} stops of trees of {MEMBERS}, cgroups {cgroups:?}: 0 left, the bystander lives, slowest {slowest:?} with a grace of {GRACE:?}"
    ));
    // A claim about time is for a run that has the machine for itself: the long one.
    ensure!(slowest >= GRACE, "they were not given their grace: {slowest:?}");
    ensure!(!faults::long() || slowest <= GRACE + Duration::from_secs(1), "a stop took {slowest:?}");
    Ok(())
}

#[test]
fn trees_that_hide_and_ignore_term_are_gone_with_their_cgroups() {
    if let Err(error) = stop_by_the_hundred(Cgroups::There) {
        panic!("{error:#}");
    }
}

#[test]
fn trees_that_hide_and_ignore_term_are_gone_where_there_are_no_cgroups() {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: only root can take the cgroups away");
        return;
    }
    if let Err(error) = stop_by_the_hundred(Cgroups::Away) {
        panic!("{error:#}");
    }
}
