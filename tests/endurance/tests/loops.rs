//! A process that dies at once, whenever it is started: it costs next to nothing, and leaves nothing behind.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use endurance::processes::{self, until};
use endurance::world::World;
use faults::{count, long, note};

const APP: &str = "shop";
/// It lives until there is a file `bad`.
const PROCFILE: &str = "web: echo up; test -e bad && exit 3; exec sleep 1000000\n";
const STARTS: usize = 20;
/// In a long run ten minutes with the delays that apps have. In a plain one everything is 150 times as quick.
const LOOP: Duration = Duration::from_secs(600);
const QUICKER: u32 = 150;
/// In hundredths of a second, as the kernel counts it.
const MOST_CPU: u64 = 600;
/// Files that lie there for a moment, while another one is replaced.
const PASSING_FILES: usize = 2;
/// How many descriptors a start has open while it goes on. One that stayed open after each start would be more by the end.
const PASSING_DESCRIPTORS: usize = 4;
const MOST_GROWTH_KIB: u64 = 64;

/// What a supervisor takes.
#[derive(Debug)]
struct Cost {
    descriptors: usize,
    kib: u64,
    cpu: u64,
    files: usize,
}

impl Cost {
    fn of(world: &World) -> Result<Self> {
        let pid = world.supervisor(APP)?;
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}"));
        let (stat, memory) = (read("stat")?, read("smaps_rollup")?);
        let fields: Vec<&str> = stat.rsplit_once(") ").context("a name ends")?.1.split(' ').collect();
        let private = memory.lines().filter_map(|line| line.strip_prefix("Private_Dirty:"));
        let kib =
            private.map(|line| line.trim().trim_end_matches(" kB").parse::<u64>()).sum::<Result<_, _>>()?;
        Ok(Self {
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            kib,
            // Its own, and that of the processes that it has waited for.
            cpu: fields[11..15].iter().map(|ticks| ticks.parse::<u64>()).sum::<Result<_, _>>()?,
            files: files(&world.service(APP)),
        })
    }
}

fn files(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { 1 + files(&entry.path()) } else { 1 }).sum()
}

fn a_crash_loop_is_cheap() -> Result<()> {
    let world = World::new()?;
    fs::create_dir_all(world.path("home").join(APP))?;
    world.does(&["ps-set", APP, "restart-policy", "always"])?;
    if !long() {
        for (name, value) in [("restart-delay", "1ms"), ("restart-delay-max", "400ms")] {
            world.does(&["ps-set", APP, name, value])?;
        }
    }
    world.deploy(APP, PROCFILE, &["web=1"])?;
    let starts =
        || -> Result<usize> { Ok(world.log(APP, "web.1")?.split(|byte| *byte == b'\n').count() - 1) };
    fs::write(world.path("source-shop/bad"), "")?;
    let before = starts()?;
    world.pids(APP)?.values().try_for_each(|pid| processes::kill(u32::try_from(*pid)?))?;
    let early = until("it has been started three times", Duration::from_secs(20), || {
        (starts().ok()? >= before + 3).then(|| Cost::of(&world))
    })??;
    thread::sleep(LOOP / u32::try_from(count(QUICKER as usize, 1))?);
    let (late, all) = (Cost::of(&world)?, starts()? - before);
    note(&format!("crash loop: {all} starts; {early:?}, then {late:?}"));
    ensure!((4..=STARTS).contains(&all), "{all} starts");
    ensure!(
        late.descriptors <= early.descriptors + PASSING_DESCRIPTORS
            && late.files <= early.files + PASSING_FILES,
        "{early:?}, then {late:?}"
    );
    ensure!(late.kib <= early.kib + MOST_GROWTH_KIB, "{early:?}, then {late:?}");
    ensure!(!long() || late.cpu - early.cpu < MOST_CPU, "{early:?}, then {late:?}");
    Ok(())
}

#[test]
fn a_crash_loop_of_ten_minutes_has_twenty_starts_and_nothing_grows() {
    if let Err(error) = a_crash_loop_is_cheap() {
        panic!("{error:#}");
    }
}
