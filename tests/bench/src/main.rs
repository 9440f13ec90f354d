//! What several commands cost, taken in turns so that whatever the machine does meanwhile hits all of them alike.
//!
//! `measure ROUNDS SECONDS COMMAND… -- COMMAND…` prints for each command, in their order, a line of three medians:
//! wall time and CPU time (with that of the children it waited for) in microseconds, and peak resident memory in KiB. It
//! stops after ROUNDS rounds, or after SECONDS if three rounds are done by then. A command that fails ends it: a failure is
//! often quick.

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: measure ROUNDS SECONDS COMMAND... -- COMMAND...";
const WARM_UP_MOST: usize = 5;
const ROUNDS_LEAST: usize = 3;

/// What each run of a command cost: wall and CPU time in microseconds, peak resident memory in KiB.
#[derive(Default)]
struct Cost {
    wall: Vec<u128>,
    cpu: Vec<u128>,
    peak: Vec<u128>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "measure: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let mut number = || -> Result<u64> { Ok(arguments.next().ok_or(USAGE)?.parse()?) };
    let (rounds, seconds) = (usize::try_from(number()?)?, number()?);
    let words: Vec<String> = arguments.collect();
    let commands: Vec<&[String]> = words.split(|word| word == "--").collect();
    let costs = take_turns(&commands, rounds, Duration::from_secs(seconds))?;
    let mut out = io::stdout().lock();
    for Cost { wall, cpu, peak } in costs {
        writeln!(out, "{} {} {}", median(wall)?, median(cpu)?, median(peak)?)?;
    }
    Ok(())
}

fn take_turns(commands: &[&[String]], rounds: usize, limit: Duration) -> Result<Vec<Cost>> {
    let mut costs: Vec<Cost> = commands.iter().map(|_| Cost::default()).collect();
    let start = Instant::now();
    let warm_up = WARM_UP_MOST.min(rounds.div_ceil(10));
    for round in 0..rounds + warm_up {
        if round >= warm_up + ROUNDS_LEAST && start.elapsed() > limit {
            break;
        }
        for (command, cost) in commands.iter().zip(&mut costs) {
            let [wall, cpu, peak] = once(command)?;
            if round >= warm_up {
                cost.wall.push(wall);
                cost.cpu.push(cpu);
                cost.peak.push(peak);
            }
        }
    }
    Ok(costs)
}

fn once(command: &[String]) -> Result<[u128; 3]> {
    let (program, args) = command.split_first().ok_or(USAGE)?;
    let mut prepared = Command::new(program);
    prepared.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let mut child = prepared.spawn().map_err(|error| format!("{program}: {error}"))?;
    let used = child.wait4()?;
    let wall = start.elapsed().as_micros();
    if !used.status.success() {
        return Err(format!("{}: {}", command.join(" "), used.status).into());
    }
    let cpu = (used.rusage.utime + used.rusage.stime).as_micros();
    Ok([wall, cpu, u128::from(used.rusage.maxrss) / 1024])
}

fn median(mut values: Vec<u128>) -> Result<u128> {
    values.sort_unstable();
    Ok(*values.get(values.len() / 2).ok_or("no rounds, no median")?)
}
