//! What a log costs, and what it keeps: a line that does not end, and a disk that fills up again and again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use endurance::part::count;
use endurance::processes::until;
use endurance::world::World;
use faults::note;

const APP: &str = "shop";
/// The bytes of a file that is compared, at a time.
const PIECE: usize = 1 << 20;
/// A supervisor may need so much more memory for a line of a gigabyte.
const MOST_GROWTH_KIB: u64 = 4 << 10;
/// How long a gigabyte may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(60);
/// What is quiet for so long has settled.
const QUIET: Duration = Duration::from_secs(2);
/// What an instance writes in a cycle while the disk is full, and when there is room again, in bytes.
const WHILE_FULL: u64 = 3 << 20;
const WITH_ROOM: u64 = 300_001;

/// The most memory that a process has ever had, in KiB.
fn most_memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("a process has memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Numbers without a line end, by a shell.
fn numbers(bytes: u64) -> String {
    format!("seq 1 1000000000 | tr '\\n' , | head -c {bytes}")
}

/// The same numbers, to be compared.
fn the_same(bytes: u64) -> Result<Child> {
    Ok(Command::new("sh").args(["-c", &numbers(bytes)]).stdout(Stdio::piped()).spawn()?)
}

/// The log of a slot as one stream. A segment may be compressed while it is read.
fn whole(world: &World, slot: &str) -> Result<Child> {
    let log = world.service(APP).join(slot).join("log");
    let script = "cd \"$1\" && for name in $(ls stdout.* | sed 's/\\.gz$//' | sort -uV); do
        cat \"$name\" 2>/dev/null || gzip -dc \"$name.gz\" || exit 1; done";
    let mut shell = Command::new("sh");
    Ok(shell.args(["-c", script, "sh"]).arg(log).stdout(Stdio::piped()).spawn()?)
}

/// How many bytes that is.
fn stored(world: &World, slot: &str) -> Result<u64> {
    let mut all = whole(world, slot)?;
    let read = std::io::copy(&mut all.stdout.take().context("a pipe")?, &mut std::io::sink())?;
    ensure!(all.wait()?.success(), "a segment cannot be read");
    Ok(read)
}

/// How many bytes are the same in both, which is all of them.
fn is_the_same(one: &mut Child, other: &mut Child) -> Result<u64> {
    let out = |child: &mut Child| child.stdout.take().context("its output is a pipe");
    let mut one = BufReader::with_capacity(PIECE, out(one)?);
    let mut other = BufReader::with_capacity(PIECE, out(other)?);
    let mut same = 0;
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let most = left.len().min(right.len());
        if most == 0 {
            ensure!(left.is_empty() && right.is_empty(), "one of them ends at byte {same}");
            return Ok(same);
        }
        if left[..most] != right[..most] {
            bail!("they differ after byte {same}");
        }
        one.consume(most);
        other.consume(most);
        same += u64::try_from(most)?;
    }
}

/// Waits until nothing more is written to a log: its files, the compressed ones left out, stay as they are.
fn settles(log: &Path) -> Result<()> {
    let plain = || -> BTreeMap<OsString, u64> {
        let entries = fs::read_dir(log).into_iter().flatten().flatten();
        let plain = entries.filter(|entry| entry.path().extension().is_none_or(|word| word != "gz"));
        plain.filter_map(|entry| Some((entry.file_name(), entry.metadata().ok()?.len()))).collect()
    };
    let (mut before, mut since) = (BTreeMap::new(), Instant::now());
    until("nothing more is written", PATIENCE, || {
        let now = plain();
        let newest = |files: &BTreeMap<OsString, u64>| files.values().copied().max();
        if now.len() > before.len() || newest(&now) != newest(&before) {
            since = Instant::now();
        }
        before = now;
        (since.elapsed() > QUIET).then_some(())
    })
}

/// A line of so many bytes, in segments of this size.
fn a_line_is_kept(bytes: u64, segment: &str) -> Result<()> {
    let world = World::new()?;
    fs::create_dir_all(world.path("home").join(APP))?;
    for (setting, value) in [("log-max-size", segment), ("log-max-files", "1000"), ("restart-policy", "no")] {
        world.does(&["ps-set", APP, setting, value])?;
    }
    let command = format!(
        "line: until [ -e go ]; do sleep 0.01; done; {}; touch done; exec sleep 1000000",
        numbers(bytes)
    );
    world.deploy(APP, &format!("{command}\n"), &["line=1"])?;
    let source = world.path(&format!("source-{APP}"));
    let supervisor = world.supervisor(APP)?;
    let before = most_memory(supervisor)?;
    fs::write(source.join("go"), "")?;
    until("it is written", PATIENCE, || source.join("done").exists().then_some(()))?;
    settles(&world.service(APP).join("line.1/log"))?;
    let after = most_memory(supervisor)?;
    let (mut kept, mut wanted) = (whole(&world, "line.1")?, the_same(bytes)?);
    let same = is_the_same(&mut kept, &mut wanted);
    kept.wait()?;
    wanted.wait()?;
    let same = same?;
    note(&format!(
        "a line of {bytes} bytes in segments of {segment}: {same} bytes the same; memory {before} KiB, then {after} KiB"
    ));
    ensure!(same == bytes, "{same} of {bytes} bytes");
    ensure!(after <= before + MOST_GROWTH_KIB, "memory grew from {before} to {after} KiB");
    ensure!(world.supervisor(APP)? == supervisor, "another supervisor");
    Ok(())
}

/// A small disk of its own for a directory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn over(directory: &Path, size: &str) -> Result<Self> {
        let size = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "endurance"]).arg(directory).status()?;
        ensure!(mounted.success(), "mount: {mounted}");
        Ok(Self(directory.to_owned()))
    }

    /// Fills it to the last page.
    fn fill(&self) -> Result<()> {
        let file = fs::File::create(self.0.join("ballast"))?;
        let written = std::io::copy(&mut std::io::repeat(b'x').take(1 << 40), &mut &file);
        ensure!(written.is_err(), "the disk has no end");
        Ok(())
    }

    fn make_room(&self) -> Result<()> {
        Ok(fs::remove_file(self.0.join("ballast"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// What the log says of itself in `status.json`: dropped, and in doubt, in bytes.
fn lost(world: &World) -> Result<(u64, u64)> {
    let status = fs::read(world.service(APP).join("writer.1/status.json"))?;
    let status: serde_json::Value = serde_json::from_slice(&status)?;
    let number = |name: &str| status[name].as_u64().unwrap_or(0);
    Ok((number("log_dropped"), number("log_in_doubt")))
}

/// Who writes: in each cycle so many bytes, and then says so.
const WRITES: &str = "\
writer: n=0; while :; do n=$((n + 1)); until [ -e go.$n ]; do sleep 0.01; done; head -c $(cat go.$n) /dev/zero | tr '\\0' a; touch done.$n; done
";

/// Has it write.
struct Writer {
    source: PathBuf,
    turn: usize,
    written: u64,
}

impl Writer {
    fn write(&mut self, bytes: u64) -> Result<()> {
        self.turn += 1;
        fs::write(self.source.join("size"), bytes.to_string())?;
        fs::rename(self.source.join("size"), self.source.join(format!("go.{}", self.turn)))?;
        let done = self.source.join(format!("done.{}", self.turn));
        until("it is written", SOON, || done.exists().then_some(()))?;
        self.written += bytes;
        Ok(())
    }
}

fn a_full_disk_loses_nothing_that_is_not_counted(kills: bool) -> Result<()> {
    let cycles = count(3, 20)?;
    let world = World::new()?;
    let lib = world.path("lib/data");
    fs::create_dir_all(&lib)?;
    let disk = SmallDisk::over(&lib, "64m")?;
    fs::create_dir_all(world.path("home").join(APP))?;
    for (setting, value) in [("log-max-size", "4m"), ("log-max-files", "1000"), ("log-when-full", "drop")] {
        world.does(&["ps-set", APP, setting, value])?;
    }
    world.deploy(APP, WRITES, &["writer=1"])?;
    let pid = world.pids(APP)?["writer.1"];
    let mut writer = Writer { source: world.path(&format!("source-{APP}")), turn: 0, written: 0 };
    for cycle in 1..=cycles {
        disk.fill()?;
        writer.write(WHILE_FULL + u64::try_from(cycle)?)?;
        if kills {
            endurance::processes::kill(world.supervisor(APP)?)?;
            world.succeed(APP)?;
        }
        disk.make_room()?;
        writer.write(WITH_ROOM)?;
        let adds_up = || {
            let ((dropped, in_doubt), stored) = (lost(&world).ok()?, stored(&world, "writer.1").ok()?);
            let least = stored + dropped;
            (least <= writer.written && writer.written <= least + in_doubt).then_some(())
        };
        until("what was stored and what was dropped is all of it", SOON, adds_up).with_context(|| {
            let (stored, lost) = (stored(&world, "writer.1"), lost(&world));
            format!("cycle {cycle}: {} written, {stored:?} stored, {lost:?} lost", writer.written)
        })?;
    }
    let (dropped, in_doubt) = lost(&world)?;
    note(&format!(
        "full disk, {cycles} cycles, supervisor killed {} times: {} bytes written, {} stored, {dropped} reported dropped, {in_doubt} in doubt",
        if kills { cycles } else { 0 },
        writer.written,
        stored(&world, "writer.1")?
    ));
    ensure!(dropped > 0, "the disk was never full");
    ensure!(kills || in_doubt == 0, "nobody was killed, and {in_doubt} bytes are in doubt");
    ensure!(world.pids(APP)?["writer.1"] == pid, "the writer was started again");
    Ok(())
}

fn holds(test: impl FnOnce() -> Result<()>) {
    if let Err(error) = test() {
        panic!("{error:#}");
    }
}

fn length() -> u64 {
    if faults::long() { 1 << 30 } else { 24 << 20 }
}

#[test]
fn a_line_of_a_gigabyte_costs_no_memory_and_every_byte_of_it_is_kept() {
    holds(|| a_line_is_kept(length(), "2g"));
}

#[test]
fn a_line_that_fills_many_segments_is_kept_as_it_is() {
    holds(|| a_line_is_kept(length(), "10m"));
}

#[test]
fn on_a_disk_that_fills_up_again_and_again_each_byte_is_stored_or_reported_dropped() {
    if !rustix::process::geteuid().is_root() {
        return skipped::skip("no root: only root can mount a small disk");
    }
    holds(|| a_full_disk_loses_nothing_that_is_not_counted(false));
}

#[test]
fn on_a_full_disk_a_supervisor_that_is_killed_says_which_bytes_are_in_doubt() {
    if !rustix::process::geteuid().is_root() {
        return skipped::skip("no root: only root can mount a small disk");
    }
    holds(|| a_full_disk_loses_nothing_that_is_not_counted(true));
}
